// An OAuth 2 server that agrees at once. Usage: node server.mjs FOLDER PORT
import { OAuth2Server } from 'oauth2-mock-server'

const server = new OAuth2Server()
await server.issuer.keys.generate('RS256')
await server.start(Number(process.argv[3]), '127.0.0.1')
server.service.on('beforeResponse', (answer, request) => {
  console.log(`${request.body.grant_type} ${answer.statusCode}`)
})
