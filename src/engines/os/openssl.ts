/**
 * Calls the OpenSSL that is built into this Node, through FFI. OpenSSL keeps all keys and does all
 * cryptography. Only records, and the bytes in them, pass through this file.
 */
import { loadKoffi, loadLibc } from './libc.ts'

/** Pointers of C as numbers: addresses of programs have 47 bits. */
export type Pointer = number
type Arg = number | bigint | string | Uint8Array | null
type Call = (...args: Arg[]) => number

const signatures = {
  BIO_ctrl: 'long BIO_ctrl(uint64 bio, int command, long size, uint64 argument)',
  BIO_ctrl_pending: 'size_t BIO_ctrl_pending(uint64 bio)',
  BIO_free: 'int BIO_free(uint64 bio)',
  BIO_new: 'uint64 BIO_new(uint64 method)',
  BIO_read: 'int BIO_read(uint64 bio, uint64 to, int size)',
  BIO_s_mem: 'uint64 BIO_s_mem()',
  BIO_up_ref: 'int BIO_up_ref(uint64 bio)',
  BIO_write: 'int BIO_write(uint64 bio, uint64 from, int size)',
  ERR_clear_error: 'void ERR_clear_error()',
  ERR_get_error: 'ulong ERR_get_error()',
  PEM_read_bio_PrivateKey: 'uint64 PEM_read_bio_PrivateKey(uint64 bio, uint64, uint64, uint64)',
  PEM_write_bio_X509: 'int PEM_write_bio_X509(uint64 bio, uint64 certificate)',
  PEM_read_bio_X509: 'uint64 PEM_read_bio_X509(uint64 bio, uint64, uint64, uint64)',
  EVP_PKEY_free: 'void EVP_PKEY_free(uint64 key)',
  SSL_CTX_add_client_CA: 'int SSL_CTX_add_client_CA(uint64 context, uint64 certificate)',
  SSL_CTX_check_private_key: 'int SSL_CTX_check_private_key(uint64 context)',
  SSL_CTX_ctrl: 'long SSL_CTX_ctrl(uint64 context, int command, long number, uint64 argument)',
  SSL_CTX_free: 'void SSL_CTX_free(uint64 context)',
  SSL_CTX_get_cert_store: 'uint64 SSL_CTX_get_cert_store(uint64 context)',
  SSL_CTX_new: 'uint64 SSL_CTX_new(uint64 method)',
  SSL_CTX_set_alpn_protos: 'int SSL_CTX_set_alpn_protos(uint64 context, const void *, uint size)',
  SSL_CTX_set_alpn_select_cb: 'void SSL_CTX_set_alpn_select_cb(uint64 context, void *, uint64)',
  SSL_CTX_set_cipher_list: 'int SSL_CTX_set_cipher_list(uint64 context, const char *names)',
  SSL_CTX_set_ciphersuites: 'int SSL_CTX_set_ciphersuites(uint64 context, const char *names)',
  SSL_CTX_set_options: 'uint64 SSL_CTX_set_options(uint64 context, uint64 options)',
  SSL_CTX_set_session_id_context:
    'int SSL_CTX_set_session_id_context(uint64 context, const char *name, uint size)',
  SSL_CTX_set_verify: 'void SSL_CTX_set_verify(uint64 context, int mode, uint64)',
  SSL_CTX_use_PrivateKey: 'int SSL_CTX_use_PrivateKey(uint64 context, uint64 key)',
  SSL_CTX_use_certificate: 'int SSL_CTX_use_certificate(uint64 context, uint64 certificate)',
  SSL_ctrl: 'long SSL_ctrl(uint64 ssl, int command, long number, const char *text)',
  SSL_free: 'void SSL_free(uint64 ssl)',
  SSL_free_buffers: 'int SSL_free_buffers(uint64 ssl)',
  SSL_get1_peer_certificate: 'uint64 SSL_get1_peer_certificate(uint64 ssl)',
  SSL_get_error: 'int SSL_get_error(uint64 ssl, int result)',
  SSL_get_verify_result: 'long SSL_get_verify_result(uint64 ssl)',
  SSL_is_init_finished: 'int SSL_is_init_finished(uint64 ssl)',
  SSL_new: 'uint64 SSL_new(uint64 context)',
  SSL_read: 'int SSL_read(uint64 ssl, uint64 to, int size)',
  SSL_set0_rbio: 'void SSL_set0_rbio(uint64 ssl, uint64 bio)',
  SSL_set0_wbio: 'void SSL_set0_wbio(uint64 ssl, uint64 bio)',
  SSL_set_accept_state: 'void SSL_set_accept_state(uint64 ssl)',
  SSL_set_connect_state: 'void SSL_set_connect_state(uint64 ssl)',
  SSL_shutdown: 'int SSL_shutdown(uint64 ssl)',
  SSL_write: 'int SSL_write(uint64 ssl, uint64 from, int size)',
  TLS_client_method: 'uint64 TLS_client_method()',
  TLS_server_method: 'uint64 TLS_server_method()',
  X509_STORE_add_cert: 'int X509_STORE_add_cert(uint64 store, uint64 certificate)',
  X509_free: 'void X509_free(uint64 certificate)',
} as const

type Calls = { readonly [Name in keyof typeof signatures]: Call }

/** Chooses a protocol (ALPN, RFC 7301) from the offered ones; undefined: none of them. */
export type Choose = (offered: readonly string[]) => string | undefined

export interface OpenSsl extends Calls {
  /** The text of an error, for example `wrong version number`. */
  reason(error: number): string
  /** The text for a result of the verification of a certificate. */
  verifyReason(result: number): string
  /** Reads a PEM text from memory. The result is to be freed. */
  textBio(text: string): Pointer
  /** Lets a function select protocols in a context. Returns a function that removes it. */
  selectProtocol(context: Pointer, choose: Choose): () => void
}

/** SSL_get_error(3). */
export const sslError = { SSL: 1, WANT_READ: 2, SYSCALL: 5, ZERO_RETURN: 6 } as const

let loaded: OpenSsl | string | undefined

/** The functions, or a sentence that says why they cannot be called. */
export function loadOpenSsl(): OpenSsl | string {
  loaded ??= load()
  return loaded
}

/**
 * The oldest version that is supported. (BoringSSL has the same names, but behaves differently.)
 */
const oldestMajor = 3

function load(): OpenSsl | string {
  const libc = loadLibc()
  if (typeof libc === 'string') return `OpenSSL is called by FFI. ${libc}`
  const koffi = loadKoffi()
  const major = Number.parseInt(process.versions.openssl ?? '', 10)
  if (!(major >= oldestMajor) || /fips|boring/i.test(process.versions.openssl ?? ''))
    return `This Node has ${process.versions.openssl ?? 'no OpenSSL'}, not OpenSSL ${oldestMajor}.`
  try {
    // Takes the functions of the running program: it exports its own OpenSSL, or is linked with
    // that of the system.
    return bindAll(koffi, koffi.load(null))
  } catch {
    return 'This Node does not export the functions of its OpenSSL.'
  }
}

type Koffi = ReturnType<typeof loadKoffi>

function bindAll(koffi: Koffi, library: ReturnType<Koffi['load']>): OpenSsl {
  const calls = Object.fromEntries(
    Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)]),
  ) as unknown as Calls
  const words = library.func('const char *ERR_reason_error_string(ulong error)')
  const verifyWords = library.func('const char *X509_verify_cert_error_string(long result)')
  const memoryBio = library.func('uint64 BIO_new_mem_buf(const void *data, int size)') as (
    data: Uint8Array,
    size: number,
  ) => Pointer
  const u64 = 'uint64'
  const choice = koffi.proto('int', [u64, u64, u64, u64, 'uint', u64])
  /** The memory of texts whose BIO may still be read. */
  const texts = new Map<Pointer, Buffer>()
  return {
    ...calls,
    BIO_free(bio) {
      texts.delete(bio as Pointer)
      return calls.BIO_free(bio)
    },
    reason: error => (words(error) as string | null) ?? 'unknown error',
    verifyReason: result => verifyWords(result) as string,
    textBio(text) {
      const bytes = Buffer.from(text)
      const bio = memoryBio(bytes, bytes.length)
      texts.set(bio, bytes)
      return bio
    },
    selectProtocol(context, choose) {
      const select = (_ssl: number, out: number, outSize: number, offered: number, size: number) =>
        selected(koffi, { out, outSize, offered, size }, choose)
      const callback = koffi.register(select, koffi.pointer(choice))
      calls.SSL_CTX_set_alpn_select_cb(context, callback, 0)
      return () => koffi.unregister(callback)
    },
  }
}

/** SSL_TLSEXT_ERR_OK and SSL_TLSEXT_ERR_ALERT_FATAL. */
const taken = 0
const refused = 2

/**
 * Selects a protocol from the list of the client: each name has its length in front (RFC 7301,
 * section 3.1). OpenSSL has checked the list.
 */
function selected(
  koffi: Koffi,
  at: { out: number; outSize: number; offered: number; size: number },
  choose: Choose,
): number {
  // Nothing may be thrown through C.
  try {
    const bytes = Buffer.from(koffi.decode(at.offered, 'uint8', at.size) as Uint8Array)
    const places = new Map<string, number>()
    for (let n = 0; n < bytes.length; n += 1 + bytes[n]!) {
      const name = bytes.toString('latin1', n + 1, n + 1 + bytes[n]!)
      if (!places.has(name)) places.set(name, n)
    }
    const place = places.get(choose([...places.keys()]) ?? '')
    if (place === undefined) return refused
    koffi.encode(at.out, 'uint64', at.offered + place + 1)
    koffi.encode(at.outSize, 'uint8', bytes[place]!)
    return taken
  } catch {
    return refused
  }
}
