// Starts Surfpool offline with the programs of a JSON array [{programId, soPath}], given as the first argument; the second
// is how long a slot takes, in milliseconds. Prints where it serves, and ends when standard input does.
const { Surfnet } = require('@solana/surfpool-linux-x64-gnu');

const [programs, slotTimeMs] = process.argv.slice(2).map((text) => JSON.parse(text));
const surfnet = Surfnet.startWithConfig({ offline: true, blockProductionMode: 'clock', slotTimeMs });
programs.forEach((program) => surfnet.deploy(program));
console.log(JSON.stringify({ rpcUrl: surfnet.rpcUrl, wsUrl: surfnet.wsUrl }));
// It stops for good when some thousand events wait to be read: one a block, and more for each transaction.
setInterval(() => surfnet.drainEvents(), 50);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
