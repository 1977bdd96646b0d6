import { signedIn, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Usage } from '../usage/usage.ts'

export function usageRoutes({
  budgets,
  report,
  alerts,
}: Pick<Usage, 'budgets' | 'report' | 'alerts'>): Route[] {
  const reader = user('stats.read')
  // What limits somebody's spending is not for an API key to lift, nor for a program to do in passing.
  const owner = signedIn('agents.query')
  const admin = signedIn('auth.admin')
  return [
    route(llmProxy.getUsage, {
      auth: reader,
      problems: ['bad_request', 'unprocessable', 'unavailable'],
      handle: ({ query, principal }) => report(principal, { userId: principal.userId, ...query }),
    }),
    route(llmProxy.listBudgets, {
      auth: reader,
      problems: ['unavailable'],
      handle: async ({ principal }) => ({ items: await budgets.list(principal, principal.userId) }),
    }),
    route(llmProxy.putBudget, {
      auth: owner,
      problems: ['unavailable'],
      handle: ({ params: { period }, body, principal }) =>
        budgets.set(principal, { userId: principal.userId, period, setBy: 'user' }, body),
    }),
    route(llmProxy.deleteBudget, {
      auth: owner,
      problems: ['not_found', 'unavailable'],
      async handle({ params: { period }, principal }) {
        await budgets.remove(principal, { userId: principal.userId, period, setBy: 'user' })
        return undefined
      },
    }),
    route(llmProxy.listAlerts, {
      auth: reader,
      problems: ['unavailable'],
      handle: async ({ query, principal }) => ({ items: await alerts(principal, query.limit) }),
    }),
    route(llmProxy.getUserUsage, {
      auth: admin,
      problems: ['bad_request', 'unprocessable', 'unavailable'],
      handle: async ({ params: { id }, query, principal }) => ({
        ...(await report(principal, { userId: id, ...query })),
        budgets: await budgets.list(principal, id),
      }),
    }),
    route(llmProxy.putUserBudget, {
      auth: admin,
      problems: ['unavailable'],
      handle: ({ params: { id, period }, body, principal }) =>
        budgets.set(principal, { userId: id, period, setBy: 'admin' }, body),
    }),
    route(llmProxy.deleteUserBudget, {
      auth: admin,
      problems: ['not_found', 'unavailable'],
      async handle({ params: { id, period }, principal }) {
        await budgets.remove(principal, { userId: id, period, setBy: 'admin' })
        return undefined
      },
    }),
  ]
}
