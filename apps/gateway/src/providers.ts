import { env } from '@waybill/service-kit'
import { llmProxy } from '@waybill/contracts'

/** As llm-proxy names its providers, with the protocol where it is not OpenAI's. */
const PROVIDER = /^([a-z][a-z0-9_-]{0,39})(?:=(openai|anthropic|gemini))?$/

/** The variable that names llm-proxy's further providers; by name, with the protocol of each. */
export const providers = env
  .list([])
  .refine((entries) => entries.every((entry) => PROVIDER.test(entry)), {
    error: 'must be names such as vllm, or claude-on-bedrock=anthropic, separated by commas',
  })
  .refine((entries) => entries.every((entry) => !llmProxy.TAKEN_NAMES.has(entry.split('=')[0] ?? '')), {
    error: 'names a path that is taken',
  })
  .transform((entries): Record<string, llmProxy.VendorProtocol> =>
    Object.fromEntries(
      entries.map((entry) => {
        const [, name = '', protocol = 'openai'] = PROVIDER.exec(entry) ?? []
        return [name, protocol as llmProxy.VendorProtocol] // the pattern has no others
      }),
    ),
  )
