const APPS = '^apps/([^/]+)/src'
const PACKAGES = (names) => `^packages/(?:${names.join('|')})/`

/** What each room may not import; everything that is not here is allowed. */
export default {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: { path: '^(apps|packages)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'an-app-never-imports-another-app',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'packages-never-import-apps',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/e2e/' },
      to: { path: '^apps/' },
    },
    {
      name: 'contracts-know-zod-only',
      severity: 'error',
      from: { path: '^packages/contracts/src' },
      to: { pathNot: ['^packages/contracts/src', '/node_modules/zod/', '^node_modules/zod/'] },
    },
    {
      name: 'telemetry-is-the-lowest-room',
      severity: 'error',
      from: { path: '^packages/telemetry/src' },
      to: {
        path: PACKAGES(['auth', 'http-client', 'service-kit', 'database', 'contracts', 'dev-env', 'e2e']),
      },
    },
    {
      name: 'service-kit-knows-telemetry-and-contracts',
      severity: 'error',
      from: { path: '^packages/service-kit/src' },
      to: { path: PACKAGES(['auth', 'http-client', 'database', 'dev-env', 'e2e']) },
    },
    {
      name: 'auth-does-no-http',
      severity: 'error',
      from: { path: '^packages/auth/src' },
      to: { path: PACKAGES(['http-client', 'database', 'dev-env', 'e2e']) },
    },
    {
      name: 'the-client-of-users-runs-in-a-browser',
      severity: 'error',
      from: { path: '^packages/auth/src/client/' },
      to: { pathNot: '^packages/auth/src/client/' },
    },
    {
      name: 'http-client-knows-no-database',
      severity: 'error',
      from: { path: '^packages/http-client/src' },
      to: { path: PACKAGES(['database', 'dev-env', 'e2e']) },
    },
    {
      name: 'database-knows-no-http',
      severity: 'error',
      from: { path: '^packages/database/src' },
      to: { path: PACKAGES(['auth', 'http-client', 'dev-env', 'e2e']) },
    },
    {
      name: 'the-product-does-not-need-the-workshop',
      severity: 'error',
      from: { path: ['^apps/[^/]+/src', '^packages/(?!dev-env|e2e)[^/]+/src'] },
      to: { path: PACKAGES(['dev-env', 'e2e']) },
    },
    {
      name: 'only-routes-and-the-composition-root-know-routes',
      severity: 'error',
      from: { path: APPS, pathNot: ['^apps/[^/]+/src/routes/', '^apps/[^/]+/src/app\\.ts$'] },
      to: { path: '^apps/[^/]+/src/routes/' },
    },
    {
      name: 'packages-are-entered-by-their-front-door',
      severity: 'error',
      from: { path: '^(apps|packages)/([^/]+)/' },
      to: {
        path: '^packages/([^/]+)/src/',
        pathNot: [
          '^packages/$2/',
          '/src/index\\.ts$',
          '/src/register\\.ts$',
          '/src/(?:testing|client|grpc)/index\\.ts$',
        ],
      },
    },
    {
      name: 'nothing-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
