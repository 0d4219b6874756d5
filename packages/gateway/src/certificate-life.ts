const day = 24 * 60 * 60 * 1_000

export const caLifeMs = 10 * 365 * day
// What browsers and Apple's TLS still accept of a server certificate.
export const certificateLifeMs = 397 * day
/** Clocks that are a little behind find a new certificate valid, too. */
export const backdatedMs = day

/** A private key and its certificate, PEM. */
export interface Pair {
  readonly key: string
  readonly cert: string
}

export interface CertificateJob {
  /** The CA that issues; absent: a new one. */
  readonly issuer: Pair | undefined
  /** What a new CA is called, before a random ending. */
  readonly issuerName: string
  /** The names of a server, or the one of a client, whose certificate lives as long as its CA. */
  readonly subject: { readonly hosts: readonly string[] } | { readonly commonName: string }
  /** Milliseconds since the epoch. */
  readonly now: number
}

export interface CertificatePairs {
  readonly issuer: Pair
  readonly issued: Pair
}
