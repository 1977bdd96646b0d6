import { describe, expect, it } from 'vitest'
import { alternativeNames } from '../src/mtls/alternative-names.ts'
import { serviceInSpiffeId } from '../src/mtls/spiffe-id.ts'

describe('alternative names are read whole or not at all', () => {
  it('reads what node prints', () => {
    expect(
      alternativeNames('URI:spiffe://waybill.local/svc/docling, DNS:localhost, IP Address:127.0.0.1'),
    ).toEqual([
      { type: 'URI', value: 'spiffe://waybill.local/svc/docling' },
      { type: 'DNS', value: 'localhost' },
      { type: 'IP Address', value: '127.0.0.1' },
    ])
    expect(alternativeNames(undefined)).toEqual([])
  })

  it('a name within a quoted name stays within it (CVE-2021-44532)', () => {
    expect(alternativeNames('DNS:"a, URI:spiffe://waybill.local/svc/gateway"')).toEqual([
      { type: 'DNS', value: 'a, URI:spiffe://waybill.local/svc/gateway' },
    ])
    expect(alternativeNames('DNS:"a\\", URI:spiffe://waybill.local/svc/gateway"')).toEqual([
      { type: 'DNS', value: 'a", URI:spiffe://waybill.local/svc/gateway' },
    ])
  })

  it.each([
    'DNS:"a',
    'DNS:a"b',
    'DNS:"a"b',
    'DNS:"a", ',
    'DNS:a,URI:spiffe://waybill.local/svc/gateway',
    'DNS:a, URI:spiffe://waybill.local/svc/gateway,',
    'DNS:"\\x"',
    'URI:a\\b',
    'othername:SmtpUTF8Mailbox:"x, URI:spiffe://waybill.local/svc/gateway"',
    'nonsense',
  ])('refuses %s', (text) => {
    expect(alternativeNames(text)).toBeUndefined()
  })
})

describe('a SPIFFE id is read in one way only', () => {
  it('names a service of the trust domain', () => {
    expect(serviceInSpiffeId('spiffe://waybill.local/svc/data_store', 'waybill.local')).toBe('data_store')
    expect(serviceInSpiffeId('spiffe://waybill.local/svc/auth-service', 'waybill.local')).toBe('auth-service')
  })

  it.each([
    'spiffe://other.local/svc/gateway',
    'spiffe://waybill.local:443/svc/gateway',
    'spiffe://user@waybill.local/svc/gateway',
    'spiffe://Waybill.local/svc/gateway',
    'SPIFFE://waybill.local/svc/gateway',
    'spiffe://waybill.local/svc/Gateway',
    'spiffe://waybill.local/svc/gateway/',
    'spiffe://waybill.local/svc/gateway?x',
    'spiffe://waybill.local/svc/gateway#x',
    'spiffe://waybill.local/svc/../svc/gateway',
    'spiffe://waybill.local/svc/gate.way',
    'spiffe://waybill.local/svc/gate%77ay',
    'spiffe://waybill.local/svc/gateway\n',
    'spiffe://waybill.local//svc/gateway',
    'spiffe://waybill.local/svc/',
    'spiffe://waybill.local/user/gateway',
    'spiffe:///svc/gateway',
    'https://waybill.local/svc/gateway',
    '',
  ])('refuses %j', (uri) => {
    expect(serviceInSpiffeId(uri, 'waybill.local')).toBeUndefined()
  })
})
