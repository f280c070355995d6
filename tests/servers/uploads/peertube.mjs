// PeerTube's resumable upload, by the library that PeerTube itself uses, and what little else an upload needs.
// Usage: node peertube.mjs FOLDER PORT
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Uploadx } from '@uploadx/core'
import express from 'express'

const [folder, port] = process.argv.slice(2)
const videos = new Map()
// With a user, an unknown upload is answered 404, as at PeerTube.
const uploadx = new Uploadx({ directory: folder, userIdentifier: () => '1', path: '/api/v1/videos/upload-resumable' })
const app = express()

app.use((request, _answer, next) => {
  console.log(`${request.method} ${request.path} ${request.get('content-range') ?? ''}`)
  next()
})
app.post('/api/v1/videos/upload-resumable', express.json(), uploadx.upload)
// Goes on to the next function when the last byte has come, as at PeerTube.
app.put('/api/v1/videos/upload-resumable', uploadx.upload, async (request, answer) => {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(`${folder}/${request.body.name}`)) hash.update(piece)
  const uuid = randomUUID()
  const { name, filename } = request.body.metadata
  videos.set(uuid, { uuid, name, filename, sha256: hash.digest('hex'), state: { id: 1 }, privacy: { id: 3 } })
  await uploadx.storage.delete(request.body)
  answer.json({ video: { id: videos.size, uuid, shortUUID: uuid.slice(0, 8) } })
})
app.get('/api/v1/users/me/videos', (_request, answer) => answer.json({ data: [...videos.values()] }))
app.get('/api/v1/videos/:id/source', (request, answer) => {
  answer.json({ inputFilename: videos.get(request.params.id).filename })
})
app.get('/api/v1/videos/:id', (request, answer) => {
  const video = videos.get(request.params.id)
  if (video) answer.json(video)
  else answer.status(404).json({ detail: 'Video not found' })
})

app.listen(Number(port), '127.0.0.1')
