import { open, user } from '@waybill/auth'
import type { llmProxy } from '@waybill/contracts'
import type { Guard } from '@waybill/service-kit'

/** The services that can be reached from outside. substrate-api is not among them: it serves services only. */
export type Upstream = 'auth-service' | 'llm-proxy' | 'docling' | 'data_store' | 'work-platform'

export interface FrontDoor {
  path: string
  upstream: Upstream
  auth: Guard
  /** Taken off the path on the way. */
  prefix?: string
  summary: string
  /** The vendor's protocol that is spoken behind it: errors of the door have that shape, and SDKs put credentials where they like. */
  protocol?: llmProxy.VendorProtocol
  /** Answers of models take their time: LLM_TIMEOUT_MS in place of the usual. */
  patient?: boolean
}

const signedIn = user()

/** Every way in that is always there, and where it leads. The service behind decides about permissions; the door only asks who it is. */
export const FRONT_DOORS: readonly FrontDoor[] = [
  entrance('/auth/register', 'there is no account yet', 'Create an account'),
  entrance('/auth/login', 'this is where a credential is got', 'Log in'),
  entrance('/auth/refresh', 'the refresh token in the body is the credential', 'Renew a session'),
  entrance('/.well-known/jwks.json', 'public keys are there to be read', 'The keys that verify tokens'),
  entrance('/.well-known/oauth-authorization-server', 'what there is may be known', 'What the issuer can do'),
  {
    path: '/auth/*path',
    upstream: 'auth-service',
    auth: signedIn,
    summary: 'The account, its sessions and API keys; administration',
  },
  { path: '/llm', upstream: 'llm-proxy', auth: signedIn, patient: true, summary: 'Ask a model' },
  {
    path: '/execute',
    upstream: 'llm-proxy',
    auth: signedIn,
    patient: true,
    summary: 'Run a named operation',
  },
  { path: '/tokenize', upstream: 'llm-proxy', auth: signedIn, summary: 'Count tokens' },
  { path: '/keys', upstream: 'llm-proxy', auth: signedIn, summary: "The user's keys for providers" },
  { path: '/keys/*path', upstream: 'llm-proxy', auth: signedIn, summary: 'One of these keys' },
  { path: '/usage', upstream: 'llm-proxy', auth: signedIn, summary: 'What was used' },
  { path: '/usage/*path', upstream: 'llm-proxy', auth: signedIn, summary: 'Budgets and alerts' },
  vendor('v1', 'openai', "Any provider's models by OpenAI's protocol"),
  vendor('openai', 'openai', "OpenAI's own API"),
  vendor('anthropic', 'anthropic', "Anthropic's own API"),
  vendor('gemini/v1beta/openai', 'openai', "Gemini's API in OpenAI's protocol"),
  vendor('gemini', 'gemini', "Gemini's own API"),
  vendor('mistral', 'openai', "Mistral's own API"),
  vendor('openrouter', 'openai', "OpenRouter's own API"),
  { path: '/docling/*path', prefix: '/docling', upstream: 'docling', auth: signedIn, summary: 'Documents' },
  { path: '/data/*path', prefix: '/data', upstream: 'data_store', auth: signedIn, summary: 'Records' },
  {
    path: '/work/*path',
    prefix: '/work',
    upstream: 'work-platform',
    auth: signedIn,
    summary: 'Workspaces, projects',
  },
]

/** The doors that are always there, and one for each provider of configuration. */
export function frontDoors(providers: Readonly<Record<string, llmProxy.VendorProtocol>>): FrontDoor[] {
  const further = Object.entries(providers).map(([name, protocol]) =>
    vendor(name, protocol, `The API of the provider ${name}`),
  )
  return [...FRONT_DOORS, ...further]
}

function vendor(name: string, protocol: llmProxy.VendorProtocol, summary: string): FrontDoor {
  return { path: `/${name}/*path`, upstream: 'llm-proxy', auth: signedIn, protocol, patient: true, summary }
}

function entrance(path: string, why: string, summary: string): FrontDoor {
  return { path, upstream: 'auth-service', auth: open(why), summary }
}
