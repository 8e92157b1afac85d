// An OpenID Connect issuer for tests: oidc-provider on a loopback port, which
// gives access tokens (JWT, RFC 9068) for client credentials.
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

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: ['portal-app', 'office-app', 'stranger-app'].map(client),
  scopes: scopes.split(' '),
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
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
