/** What may go wrong in a TLS handshake, in words: OpenSSL's names, and what to try. */

/** Errors of our own, with names as the system's have them. */
export const pinMismatch = (seen: string): Error =>
  Object.assign(new Error(`its certificate has the fingerprint ${seen || 'of none'}`), {
    code: 'PIN_MISMATCH',
  })
export const certificateRequired = (reason: string): Error =>
  Object.assign(new Error(`the client's certificate was refused: ${reason}`), {
    code: 'CLIENT_CERTIFICATE_REFUSED',
  })
