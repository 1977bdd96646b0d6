/** Thrown for a request that is not taken; `status` is the answer's, the message is for the sender. */
export class RequestError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'RequestError'
    this.status = status
  }
}
