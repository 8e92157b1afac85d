// An OpenID Connect issuer for tests: oidc-provider on a loopback port, which
// gives access tokens (JWT, RFC 9068) for client credentials, and lets persons in
// at console-app by a page that asks for their login alone.
//
//   node issuer.mjs PORT KEYS   KEYS: a file with the private key set
//
// The resource that a token is asked for decides its audience and algorithm:
// https://segell.example/ES256 gives the audience "segell" signed by ES256.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The packages lie where `make tools` put them, which is not beside this file.
const require = createRequire(process.env.ISSUER_MODULES + '/');
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const [port, keys] = process.argv.slice(2);
const scopes = 'documents.request documents.read documents.cancel documents.withdraw holders.search tickets.issue';
const client = (id) => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  scope: scopes,
});

// The console of staff: a native client, so that its return may be on any port of
// loopback (RFC 8252 section 7.3).
const consoleApp = {
  client_id: 'console-app',
  client_secret: 'secret-of-console-app',
  application_type: 'native',
  grant_types: ['authorization_code'],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/login/oidc/return'],
  scope: 'openid profile groups',
};

// Who can log in, and what the claims say of them. The subject is another than the
// login, as it should be.
const persons = {
  'maria.puig': { name: 'Maria Puig Ferrer', groups: ['everybody', 'segell-act'] },
  'joan.serra': { name: 'Joan Serra Vila', groups: ['everybody', 'segell-look'] },
  'anna.riba': { name: 'Anna Riba Mas', groups: ['everybody', 'segell-audit'] },
  'pere.font': { name: 'Pere Font Coll', groups: ['everybody'] },
};
const findAccount = (_, login) => persons[login] && {
  accountId: login,
  claims: () => ({ sub: `person-${Object.keys(persons).indexOf(login)}`, preferred_username: login, ...persons[login] }),
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [...['portal-app', 'office-app', 'stranger-app'].map(client), consoleApp],
  scopes: scopes.split(' '),
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
  findAccount,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Nobody is asked whether the console may know them.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile groups');
    await grant.save();
    return grant;
  },
  cookies: { keys: ['only for tests'] },
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256', 'PS256'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        const [audience, alg] = new URL(resource).host === 'segell.example'
          ? ['segell', new URL(resource).pathname.slice(1)]
          : ['another', 'ES256'];
        return { audience, scope: scopes, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg } } };
      },
    },
  },
  extraTokenClaims: (_, token) => (token.clientId === 'office-app' ? { segell_kinds: ['points_extract'] } : undefined),
});

// The page on which a person logs in: by GET a form, by POST its answer.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  await provider.interactionDetails(ctx.req, ctx.res);
  if (ctx.method !== 'POST') {
    ctx.type = 'html';
    ctx.body = '<!doctype html><html lang="en"><title>Issuer</title><form method="post"><label>Login <input name="login"></label> <button>Log in</button></form></html>';
    return undefined;
  }
  let form = '';
  for await (const part of ctx.req) form += part;
  const login = new URLSearchParams(form).get('login');
  const result = persons[login] ? { login: { accountId: login }, consent: {} } : { error: 'access_denied' };
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
