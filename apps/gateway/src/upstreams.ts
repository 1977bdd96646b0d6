import { open, user } from '@waybill/auth'
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
}

const signedIn = user()

/** Every way in, and where it leads. The service behind decides about permissions; the door only asks who it is. */
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
  { path: '/llm', upstream: 'llm-proxy', auth: signedIn, summary: 'Ask a model' },
  { path: '/execute', upstream: 'llm-proxy', auth: signedIn, summary: 'Run a named operation' },
  { path: '/tokenize', upstream: 'llm-proxy', auth: signedIn, summary: 'Count tokens' },
  { path: '/v1/chat/completions', upstream: 'llm-proxy', auth: signedIn, summary: 'OpenAI-compatible chat' },
  { path: '/v1/embeddings', upstream: 'llm-proxy', auth: signedIn, summary: 'OpenAI-compatible embeddings' },
  { path: '/v1/models', upstream: 'llm-proxy', auth: signedIn, summary: 'The models there are' },
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

function entrance(path: string, why: string, summary: string): FrontDoor {
  return { path, upstream: 'auth-service', auth: open(why), summary }
}
