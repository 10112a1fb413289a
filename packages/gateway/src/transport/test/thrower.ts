/** Runs on Bun until a handler throws; would go on for ever if that were lost. */
import { bunTransport } from '../bun.ts'
import { link } from './end.ts'

const { client, server } = await link(bunTransport)
server.onChunk = () => {
  throw new Error('a mistake in a handler')
}
client.says('anything')
