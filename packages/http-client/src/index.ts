export { isPublicAddress } from './address-guard.ts'
export { clientEnv } from './client-env.ts'
export type { ClientConfig } from './client-env.ts'
export { AnswerTooLongError, DownstreamError } from './downstream-error.ts'
export { createExternalClient } from './external-client.ts'
export type { ExternalAnswer, ExternalClient } from './external-client.ts'
export { createHttpClient } from './http-client.ts'
export type { HttpClient } from './http-client.ts'
export type { CallInput, ForwardedRequest, InternalClient } from './internal-client.ts'
export type { OnBehalfOf } from './on-behalf-of.ts'
export { isOrigin, NOT_AN_ORIGIN } from './origin.ts'
export { callsAsService } from './supabase/call-as-service.ts'
export { callsAsUser } from './supabase/call-as-user.ts'
export { supabaseEnv, supabaseProject } from './supabase/config.ts'
export type { SupabaseProject } from './supabase/config.ts'
export { contended, restProblem } from './supabase/problem.ts'
export {
  codeOf,
  hasDoneNothing,
  isRefusedToken,
  isSuccess,
  isUnknownToSchema,
} from './supabase/rest-answer.ts'
export type { RestAnswer } from './supabase/rest-answer.ts'
export { supabaseOutside } from './supabase/rest-call.ts'
export type { RestRequest } from './supabase/rest-call.ts'
