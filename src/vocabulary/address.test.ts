import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bareAt, formatAddress, isPublic, parseAddress, toOwnAddress } from './address.ts'
import { UserError } from './errors.ts'

test('every way to write an address, and its full form', () => {
  const rows: Record<string, string> = {
    'tcp://127.0.0.1:7007': 'tcp://127.0.0.1:7007',
    'TCP://example.org:80/': 'tcp://example.org:80',
    ':7007': 'tcp://127.0.0.1:7007',
    '7007': 'tcp://127.0.0.1:7007',
    'localhost:0': 'tcp://localhost:0',
    'tcp://[::1]:7007': 'tcp://[::1]:7007',
    '[fe80::1%lo]:1': 'tcp://[fe80::1%lo]:1',
    'unix:/tmp/x': 'unix:/tmp/x',
    'unix:///tmp/x': 'unix:/tmp/x',
    'unix:x.sock': 'unix:x.sock',
    'tls://[::1]:7443': 'tls://[::1]:7443',
    'udp://:7007': 'udp://127.0.0.1:7007',
    'WS://localhost': 'ws://localhost:80',
    'wss://localhost/a?b=c': 'wss://localhost:443/a?b=c',
    'http://[::1]/': 'http://[::1]:80',
    'https://h:8443?x': 'https://h:8443/?x',
  }
  for (const [text, full] of Object.entries(rows)) {
    assert.equal(formatAddress(parseAddress(text)), full, text)
    assert.deepEqual(parseAddress(full), parseAddress(text))
  }
})

test('what is no address is refused, not guessed', () => {
  const bad = ['', 'host', '::1', '::1:7007', 'tcp://:x', ':65536', ':-1', 'a b:1', 'unix:']
  bad.push('ftp://x:1', '[1.2.3.4]:7', '[]:7', 'tcp://u@h:1', `unix:/${'x'.repeat(107)}`, 'h:1?q')
  bad.push('tcp://h:1/x', 'ws://h/ä', 'http://', 'tls://h', 'ws://h:1/#x', 'https://u@h')
  for (const text of bad) assert.throws(() => parseAddress(text), UserError, text)
})

test('what is to be written instead begins with the transport that was typed', () => {
  const rows: [text: string, hint: string][] = [
    ['http://h/a b', 'http://127.0.0.1:7007/chat; a space is %20.'],
    ['tls://h:1/x', 'tls://127.0.0.1:7007 or tls://[::1]:7007.'],
    ['wss://::1', 'wss://[::1]:7007.'],
    ['::1', '[::1]:7007.'],
  ]
  for (const [text, hint] of rows)
    assert.throws(() => parseAddress(text), { hint: `Write for example ${hint}` }, text)
})

test('a unix socket is one of this system', () => {
  const path = (bytes: number) => `unix:/${'x'.repeat(bytes - 1)}`
  const longest: [NodeJS.Platform, number][] = [
    ['linux', 107],
    ['darwin', 103],
    ['freebsd', 103],
  ]
  for (const [platform, bytes] of longest) {
    assert.equal(formatAddress(toOwnAddress(path(bytes), platform)), path(bytes))
    const object = { transport: 'unix', path: path(bytes + 1).slice(5) } as const
    for (const longer of [object, formatAddress(object)])
      assert.throws(() => toOwnAddress(longer, platform), /at most 10\d bytes/)
  }
  assert.throws(() => toOwnAddress('unix:/tmp/x', 'win32'), /no unix sockets on Windows/)
  assert.equal(formatAddress(toOwnAddress(':1', 'win32')), 'tcp://127.0.0.1:1')
})

test('only the loopback and files are private', () => {
  for (const text of [':1', '127.1.2.3:1', '[::1]:1', 'localhost:1', 'unix:x'])
    assert.equal(isPublic(parseAddress(text)), false, text)
  for (const text of ['0.0.0.0:1', '[::]:1', 'example.org:1', '10.0.0.1:1'])
    assert.equal(isPublic(parseAddress(text)), true, text)
})

test('below TLS and what is spoken there are the bare bytes of the same place', () => {
  for (const name of ['tls', 'ws', 'wss', 'http', 'https'])
    assert.equal(formatAddress(bareAt(parseAddress(`${name}://[::1]:1`))), 'tcp://[::1]:1')
  for (const text of ['tcp://[::1]:1', 'unix:x', 'udp://[::1]:1']) {
    const address = parseAddress(text)
    assert.equal(bareAt(address), address)
  }
})
