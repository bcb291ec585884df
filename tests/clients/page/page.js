// What the page does when a test calls it. Requests are made as the documentation makes them.
const SOL = 'So11111111111111111111111111111111111111112';
const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
const HOUR_MS = 3_600_000;

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** What JavaScript may see of each answer; where it may see none, what it is told. */
async function asks(base, requests) {
  const seen = [];
  for (const { method, path, headers = {}, body } of requests) {
    try {
      const response = await fetch(base + path, { method, headers, body });
      seen.push({ status: response.status, headers: Object.fromEntries(response.headers), body: await response.json() });
    } catch (error) {
      seen.push({ status: 0, rejected: error.name });
    }
  }
  return seen;
}

/** A key made here, which signs transactions by one of the libraries. */
async function makesWallet(library, base) {
  const keys = await kit.generateKeyPair(true);
  const address = await kit.getAddressFromPublicKey(keys.publicKey);
  const seed = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).slice(-32);
  const keypair = web3.Keypair.fromSeed(seed);
  const connection = new web3.Connection(`${base}/rpc`, 'confirmed');
  const rpc = kit.createSolanaRpc(`${base}/rpc`);
  const signsMessage = async (text) => {
    const signature = await kit.signBytes(keys.privateKey, new TextEncoder().encode(text));
    return kit.getBase58Decoder().decode(signature);
  };
  const byLibrary = {
    'web3.js': {
      signs: async (unsigned) => {
        const transaction = web3.VersionedTransaction.deserialize(fromBase64(unsigned));
        transaction.sign([keypair]);
        return toBase64(transaction.serialize());
      },
      lamports: () => connection.getBalance(keypair.publicKey),
    },
    kit: {
      signs: async (unsigned) => {
        const transaction = kit.getTransactionDecoder().decode(fromBase64(unsigned));
        return kit.getBase64EncodedWireTransaction(await kit.partiallySignTransaction([keys], transaction));
      },
      lamports: async () => Number((await rpc.getBalance(address).send()).value),
    },
  };
  return { address, signsMessage, ...byLibrary[library] };
}

/** The whole life of an order that is cancelled. */
async function trades(base, library) {
  const wallet = await makesWallet(library, base);
  let token;
  const call = async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        'x-api-key': 'your-api-key',
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  await call('POST', '/sandbox/airdrop', { wallet: wallet.address, mint: 'SOL', amount: '5000000000' });

  const asked = { walletPubkey: wallet.address, type: 'message' };
  const { challenge } = await call('POST', '/trigger/v2/auth/challenge', asked);
  const signature = await wallet.signsMessage(challenge);
  ({ token } = await call('POST', '/trigger/v2/auth/verify', { ...asked, signature }));
  await call('GET', '/trigger/v2/vault/register');

  const pair = { inputMint: SOL, outputMint: USDC };
  const deposit = await call('POST', '/trigger/v2/deposit/craft', {
    ...pair, userAddress: wallet.address, amount: '1000000000', orderType: 'price', orderSubType: 'single',
  });
  const { id } = await call('POST', '/trigger/v2/orders/price', {
    ...pair,
    orderType: 'single',
    depositRequestId: deposit.requestId,
    depositSignedTx: await wallet.signs(deposit.transaction),
    userPubkey: wallet.address,
    inputAmount: '1000000000',
    triggerMint: SOL,
    triggerCondition: 'above',
    triggerPriceUsd: 200,
    expiresAt: (await call('GET', '/sandbox')).now + HOUR_MS, // Other tests may have moved the venue's clock.
  });
  const deposited = await wallet.lamports();
  const updated = await call('PATCH', `/trigger/v2/orders/price/${id}`, {
    orderType: 'single', triggerPriceUsd: 210.0, slippageBps: 150,
  });
  const cancel = await call('POST', `/trigger/v2/orders/price/cancel/${id}`);
  const cancelling = await call('GET', `/trigger/v2/orders/history/${id}`);
  const confirmed = await call('POST', `/trigger/v2/orders/price/confirm-cancel/${id}`, {
    signedTransaction: await wallet.signs(cancel.transaction), cancelRequestId: cancel.requestId,
  });
  const history = await call('GET', '/trigger/v2/orders/history');
  const back = (await wallet.lamports()) - deposited;
  return { wallet: wallet.address, token, id, updated, cancelling, confirmed, history, back };
}

/** The chain by web3.js and by kit: JSON-RPC, and the WebSocket where web3.js looks for it. */
async function speaksToTheChain(base) {
  const connection = new web3.Connection(`${base}/rpc`, 'confirmed');
  const wallet = web3.Keypair.generate().publicKey;
  const signature = await connection.requestAirdrop(wallet, 1_000_000_000);
  const { value } = await connection.confirmTransaction({ signature, ...(await connection.getLatestBlockhash()) });
  const slot = await new Promise((resolve) => {
    const subscription = connection.onSlotChange((told) => {
      connection.removeSlotChangeListener(subscription).then(() => resolve(told.slot));
    });
  });
  const balance = await kit.createSolanaRpc(`${base}/rpc`).getBalance(wallet.toBase58()).send();
  return { err: value.err, web3: await connection.getBalance(wallet), kit: Number(balance.value), slot };
}
