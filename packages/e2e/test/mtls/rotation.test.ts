import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { clientStand, who } from './client-stand.ts'
import { certificateFolder, swapped } from './stand.ts'

const CALLERS = 8

it('under load no request fails while all certificates are renewed and the CA is replaced', async () => {
  using folder = certificateFolder()
  const { certificates } = folder
  await certificates.ensure()
  await using client = await clientStand(folder)
  await using neighbour = await client.neighbour({ name: 'data_store' })
  const dataStore = client.http.internal('data_store', neighbour.url)
  const watching = [client.tls, client.auth.tls, neighbour.tls]

  const failures: unknown[] = []
  let answered = 0
  let isOver = false
  let onProgress: () => void = () => undefined
  const caller = async (): Promise<void> => {
    while (!isOver) {
      // Read through a function: TypeScript does not know that others write it.
      await dataStore.call(who).then(
        () => (answered += 1),
        (error: unknown) => failures.push(error),
      )
      onProgress()
    }
  }
  const load = Promise.all(Array.from({ length: CALLERS }, caller))
  /** Every caller has had answers since. */
  const goOn = async (): Promise<void> => {
    const enough = answered + failures.length + 10 * CALLERS
    await new Promise<void>((resolve) => {
      onProgress = () => {
        if (answered + failures.length >= enough) resolve()
      }
    })
  }
  const step = async (change: () => Promise<void>): Promise<void> => {
    const seen = Promise.all(watching.map(swapped))
    await change()
    await seen
    await goOn()
  }
  const authorityAt = (): string => new X509Certificate(neighbour.tls.current().certificate).issuer

  await goOn()
  const before = { serial: serialOf(neighbour.tls.current().certificate), authority: authorityAt() }
  await step(certificates.renew)
  expect(serialOf(neighbour.tls.current().certificate)).not.toBe(before.serial)
  expect(authorityAt()).toBe(before.authority)
  await step(certificates.addAuthority)
  await step(certificates.renew)
  expect(authorityAt()).not.toBe(before.authority)
  await step(certificates.retireAuthorities)
  expect(neighbour.tls.current().trust.certificates).toHaveLength(1)
  isOver = true
  await load
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThanOrEqual(50 * CALLERS)
})

it('a CA is not retired while its certificates are in use, nor a second one begun', async () => {
  using folder = certificateFolder()
  const { certificates } = folder
  await certificates.ensure()
  await certificates.addAuthority()
  await expect(certificates.addAuthority()).rejects.toThrow('finish with retire-ca')
  await expect(certificates.retireAuthorities()).rejects.toThrow('run rotate before retire-ca')
  await certificates.renew()
  await certificates.retireAuthorities()
  expect(await certificates.ensure()).toEqual([])
})

function serialOf(pem: string): string {
  return new X509Certificate(pem).serialNumber
}
