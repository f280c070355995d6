// A tus server. Usage: node tus.mjs FOLDER PORT
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { FileStore } from '@tus/file-store'
import { EVENTS, Server } from '@tus/server'

const [folder, port] = process.argv.slice(2)
const server = new Server({ path: '/files', datastore: new FileStore({ directory: folder }) })

server.on(EVENTS.POST_FINISH, async (_request, _answer, upload) => {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(`${folder}/${upload.id}`)) hash.update(piece)
  console.log(`complete ${upload.id} ${hash.digest('hex')}`)
})

server.listen({ host: '127.0.0.1', port: Number(port) })
