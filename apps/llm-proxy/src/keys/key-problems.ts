import { Problem } from '@waybill/service-kit'

export function nameTaken(): Problem {
  return new Problem('conflict', 'You have a key of that name for this provider already.', {
    extensions: { reason: 'name_taken' },
  })
}

export function tooManyKeys(most: number): Problem {
  return new Problem(
    'conflict',
    `You have ${String(most)} provider keys, and may have no more: delete one.`,
    {
      extensions: { reason: 'too_many_keys' },
    },
  )
}

export function noSuchKey(): Problem {
  return new Problem('not_found', 'You have no such provider key.')
}

/** For a call that needs a key. What was asked for is not repeated: somebody may have put a key there. */
export function keyMissing(provider: string, given: { asked: boolean; hasOthers: boolean }): Problem {
  const why = given.asked
    ? `You have no key for ${provider} of that name or id. GET /keys lists those that you have.`
    : given.hasOthers
      ? `None of your keys for ${provider} is the default one. Name one in X-Provider-Key, or make one the default: PATCH /keys/:id { "default": true }.`
      : `You have no key for ${provider}. Add one: POST /keys { "provider": "${provider}", "key": "..." }.`
  return new Problem('forbidden', why, { extensions: { reason: 'provider_key_missing', provider } })
}

/** For a key that is there and does not open. Why is for the operator, and in the log; SDKs need not try again. */
export function keyUnreadable(id: string, cause: Error): Problem {
  const detail = `Your provider key ${id} cannot be opened at the moment, which is for the operator to mend. To go on, replace it: POST /keys/${id}/rotate { "key": "..." }.`
  return new Problem('unavailable', detail, {
    headers: { 'x-should-retry': 'false' },
    extensions: { reason: 'provider_key_unreadable' },
    cause,
  })
}

export function providerNeedsNoKey(provider: string): Problem {
  return new Problem('unprocessable', `${provider} needs no key: one for it would never be used.`, {
    extensions: { reason: 'provider_needs_no_key' },
  })
}

export function customUrlNotAllowed(): Problem {
  return new Problem('insufficient_permission', 'The permission llm.custom_urls is missing.', {
    extensions: { permission: 'llm.custom_urls' },
  })
}
