/** How a request of one protocol is put to a provider of another, and how what comes back is told to the client. */
export interface Translation {
  /** Below the provider's base URL: `/v1/messages`. */
  path: string
  /** What goes to the provider. */
  body: Buffer
  /** Whether the client asked for a stream. */
  stream: boolean
  /**
   * A whole answer of the provider, status 2xx, in the client's protocol.
   * @throws Problem upstream_failed when it is none
   */
  answer(body: Buffer): Buffer
  /** An error answer of the provider in the client's shape; the status stays. What is no error of its protocol is told by status alone. */
  errorAnswer(status: number, body: Buffer): Buffer
  /** For one answer that streams. */
  startStream(): StreamTranslation
}

export interface StreamTranslation {
  /**
   * What the client gets for one frame of the provider: no, one or several whole frames as one text. After the provider's
   * end mark or its error frame comes the client's, and nothing more.
   * @throws Problem upstream_failed when the frame cannot be read
   */
  frame(event: string, data: string): string
}
