import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** GET /v1/key of OpenRouter's, where everybody may see the models: what the key that was sent may do. */
export function keyOf(lastFour: string): Reply {
  return json({
    data: {
      ...{ label: `sk-or-v1-...${lastFour}`, is_free_tier: false },
      ...{ usage: 0, limit: null, limit_remaining: null },
    },
  })
}
