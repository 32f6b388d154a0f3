// PORT read|write ROOM COUNT GAP_S: one client of y-websocket. Says `ready`, then the list of times in ns.
const Y = require('yjs')
const { WebsocketProvider } = require('y-websocket')
const WebSocket = require('ws')

const [port, role, room, count, gap] = process.argv.slice(2)
const text = 'x'.repeat(100)
const doc = new Y.Doc()
const log = doc.getArray('log')
const options = { WebSocketPolyfill: WebSocket, disableBc: true }
const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, room, doc, options)
const times = []
const now = () => Number(process.hrtime.bigint())
const tell = () => console.log(JSON.stringify(times))

async function write () {
  for (let number = 0; number < Number(count); number++) {
    times.push(now())
    log.push([text])
    if (Number(gap)) await new Promise(resolve => setTimeout(resolve, 1000 * Number(gap)))
    else if (number % 128 === 127) await new Promise(resolve => setImmediate(resolve))
  }
  tell()
}

function read () {
  log.observe(() => {
    while (times.length < log.length) times.push(now())
    if (times.length >= Number(count)) tell()
  })
}

provider.once('sync', () => {
  if (role === 'read') read()
  else process.stdin.once('data', write)
  console.log('ready')
})
