// An OpenID Connect provider for tests: node provider.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI USERS
// USERS maps a login to its claims, as JSON. Its interaction page asks for the login and nothing else.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [port, clientId, clientSecret, redirectUri, usersJson] = process.argv.slice(2)
const require = createRequire(join(process.cwd(), 'package.json')) // the cache folder, where npm put it
const load = name => import(pathToFileURL(require.resolve(name)))
const { default: Provider, interactionPolicy } = await load('oidc-provider')
const users = JSON.parse(usersJson)

const policy = interactionPolicy.base()
policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0)

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [redirectUri],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: false, // the id token has the claims, as those of the large providers have
  pkce: { required: () => true },
  cookies: { keys: ['tests'] },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = `<!DOCTYPE html><title>Provider</title><link rel="icon" href="data:,">${form}` +
          '<button form="op.logoutForm" name="logout" value="yes">Leave</button>'
      },
    },
  },
  interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, login) => users[login] && { accountId: login, claims: () => ({ sub: login, ...users[login] }) },
  // Consent is the operator's, so nobody is asked for it.
  loadExistingGrant: async ctx => {
    const grant = new ctx.oidc.provider.Grant({ clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid email profile')
    await grant.save()
    return grant
  },
})

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next()
  const login = ctx.query.login
  if (login === undefined) {
    ctx.type = 'html'
    ctx.body = '<!DOCTYPE html><title>Provider</title><link rel="icon" href="data:,">' +
      '<form><label>Login <input name="login"></label><button>Continue</button></form>'
    return
  }
  const result = login === '' ? { error: 'access_denied', error_description: 'nobody' } : { login: { accountId: login }, select_account: {} }
  await provider.interactionFinished(ctx.req, ctx.res, result)
  ctx.respond = false
})

provider.listen(Number(port), '127.0.0.1')
