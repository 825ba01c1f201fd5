// Goes through the areas of the API with node-vault and prints each answer as a line of JSON.
// It reads VAULT_ADDR and VAULT_TOKEN. The same script runs against both servers.
'use strict';

const nodeVault = require('node-vault');

const endpoint = process.env.VAULT_ADDR;
const vault = nodeVault({ apiVersion: 'v1', endpoint, token: process.env.VAULT_TOKEN });

// Prints what the promise gives or throws, and returns it.
async function step(name, call) {
  let answer;
  try {
    answer = (await call()) ?? null;
  } catch (error) {
    const status = error.response ? error.response.statusCode : 0;
    answer = { error: error.message, status };
  }
  // The library takes over each token that an answer holds.
  vault.token = process.env.VAULT_TOKEN;
  console.log(JSON.stringify({ step: name, answer }));
  return answer;
}

async function system() {
  await step('status', () => vault.status());
  await step('initialized', () => vault.initialized());
  await step('health', () => vault.health());
  await step('mounts', async () => {
    const mounts = Object.entries((await vault.mounts()).data);
    return Object.fromEntries(mounts.map(([path, mount]) => [path, mount.type]));
  });
  await step('mount', () => vault.mount({ mount_point: 'kv', type: 'kv', options: { version: '2' } }));
  await step('mount one', () => vault.mount({ mount_point: 'one', type: 'kv', description: 'First.' }));
  await step('mount twice', () => vault.mount({ mount_point: 'one', type: 'kv' }));
  await step('auths', async () => Object.keys((await vault.auths()).data).sort());
  await step('enable auth', () => vault.enableAuth({ mount_point: 'userpass', type: 'userpass' }));
  await step('enable approle', () => vault.enableAuth({ mount_point: 'approle', type: 'approle' }));
}

async function secrets() {
  await step('write', () => vault.write('one/a', { x: 1, nested: { y: [true, null] } }));
  await step('read', () => vault.read('one/a'));
  await step('read none', () => vault.read('one/none'));
  await step('list', () => vault.list('one'));
  await step('delete', () => vault.delete('one/a'));
  await step('write 2', () => vault.write('kv/data/a', { data: { x: 1 } }));
  await step('write 2 with cas', () => vault.write('kv/data/a', { data: { x: 2 }, options: { cas: 1 } }));
  await step('write 2 with wrong cas', () => vault.write('kv/data/a', { data: { x: 2 }, options: { cas: 1 } }));
  await step('update 2', () => vault.update('kv/data/a', { data: { y: 3 } }));
  await step('read 2', () => vault.read('kv/data/a'));
  await step('read 2 first', () => vault.read('kv/data/a?version=1'));
  await step('list 2', () => vault.list('kv/metadata'));
  await step('metadata', () => vault.read('kv/metadata/a'));
  await step('delete 2', () => vault.delete('kv/data/a'));
  await step('read 2 deleted', () => vault.read('kv/data/a'));
  await step('undelete', () => vault.write('kv/undelete/a', { versions: [2] }));
  await step('destroy', () => vault.write('kv/destroy/a', { versions: [1] }));
  await step('delete metadata', () => vault.delete('kv/metadata/a'));
}

async function tokens() {
  const made = await step('create', () => vault.tokenCreate({ policies: ['default'], ttl: '1h' }));
  const token = made.auth.client_token;
  const accessor = made.auth.accessor;
  await step('lookup', () => vault.tokenLookup({ token }));
  await step('lookup accessor', () => vault.tokenLookupAccessor({ accessor }));
  await step('lookup self', () => vault.tokenLookupSelf());
  await step('renew', () => vault.tokenRenew({ token, increment: '30m' }));
  await step('create orphan', () => vault.tokenCreateOrphan({ policies: ['default'] }));
  await step('role', () => vault.write('auth/token/roles/ci', { allowed_policies: 'default' }));
  await step('create by role', () => vault.tokenCreateRole({ role_name: 'ci' }));
  const child = nodeVault({ apiVersion: 'v1', endpoint, token });
  await step('child renews itself', () => child.tokenRenewSelf({ increment: '10m' }));
  await step('child is refused', () => child.policies());
  await step('revoke accessor', () => vault.tokenRevokeAccessor({ accessor }));
  await step('child is gone', () => child.tokenLookupSelf());
  await step('accessors', async () => (await vault.tokenAccessors()).data.keys.length > 1);
}

async function policies() {
  const rules = 'path "kv/*" { capabilities = ["read"] }';
  await step('add policy', () => vault.addPolicy({ name: 'app', rules }));
  await step('get policy', () => vault.getPolicy({ name: 'app' }));
  await step('policies', () => vault.policies());
  await step('remove policy', () => vault.removePolicy({ name: 'app' }));
  await step('get no policy', () => vault.getPolicy({ name: 'app' }));
}

async function logins() {
  await step('user', () => vault.write('auth/userpass/users/alice', { password: 'a' }));
  const person = nodeVault({ apiVersion: 'v1', endpoint });
  await step('login', () => person.userpassLogin({ username: 'alice', password: 'a' }));
  await step('who', () => person.tokenLookupSelf());
  await step('wrong login', () => person.userpassLogin({ username: 'alice', password: 'b' }));
  await step('add role', () => vault.addApproleRole({ role_name: 'app', token_policies: 'default' }));
  await step('get role', () => vault.getApproleRole({ role_name: 'app' }));
  await step('roles', () => vault.approleRoles());
  const role = await step('role id', () => vault.getApproleRoleId({ role_name: 'app' }));
  const secret = await vault.getApproleRoleSecret({ role_name: 'app' });
  await step('secret', async () => Object.keys(secret.data).sort());
  const login = { role_id: role.data.role_id, secret_id: secret.data.secret_id };
  await step('lookup secret', () =>
    vault.approleSecretLookup({ role_name: 'app', secret_id: login.secret_id }));
  await step('approle login', () => person.approleLogin(login));
  await step('wrong approle login', () => person.approleLogin({ ...login, secret_id: 'wrong' }));
  await step('delete role', () => vault.deleteApproleRole({ role_name: 'app' }));
}

async function rest() {
  await step('write wrapped', () => vault.write('kv/data/w', { data: { x: 1 } }));
  const wrapped = await vault.read('kv/data/w', { headers: { 'X-Vault-Wrap-TTL': '60s' } });
  await step('wrapped', async () => Object.keys(wrapped.wrap_info).sort());
  await step('unwrap', () => vault.unwrap({ token: wrapped.wrap_info.token }));
  await step('unwrap again', () => vault.unwrap({ token: wrapped.wrap_info.token }));
  await step('audits', () => vault.audits());
  await step('help', async () => Object.keys(await vault.help('sys/mounts')).includes('help'));
  await step('unmount', () => vault.unmount({ mount_point: 'one' }));
  await step('disable auth', () => vault.disableAuth({ mount_point: 'userpass' }));
  await step('seal', () => vault.seal());
  await step('sealed', () => vault.status());
}

(async () => {
  for (const area of [system, secrets, tokens, policies, logins, rest]) {
    await area();
  }
})();
