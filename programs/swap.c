/* Swaps: a pool whose prices the sandbox writes, behind two instructions of the published aggregator.

   A token is traded while an account of ours, its market, says what it costs. Nothing here writes or makes such accounts:
   only the owner of the whole chain can. The pool's tokens belong to a derived key, and only swaps move them: the user
   gives one token and gets another at the prices of that moment, or nothing happens. What the user signed bounds both. */
#include "solana.h"

extern u64 sol_set_return_data(const u8 *bytes, u64 length);

/* JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4, and its keys for ["__event_authority"] and ["authority", 1] */
static const Key THIS_PROGRAM = {{4, 121, 213, 91, 242, 49, 192, 110, 238, 116, 197, 110, 206, 104, 21, 7,
                                  253, 177, 178, 222, 163, 244, 142, 81, 2, 177, 205, 162, 86, 188, 19, 143}};
static const Key EVENT_AUTHORITY = {{180, 63, 250, 39, 245, 215, 246, 74, 116, 192, 155, 31, 41, 88, 121, 222,
                                     75, 9, 171, 54, 223, 201, 221, 81, 75, 50, 26, 167, 179, 140, 229, 232}};
static const u8 EVENT_AUTHORITY_BUMP = 255;
static const Key AUTHORITY = {{20, 12, 9, 195, 136, 108, 28, 106, 132, 79, 50, 147, 27, 207, 4, 170,
                               195, 23, 133, 25, 177, 192, 254, 83, 212, 255, 42, 113, 14, 180, 222, 60}};
static const u8 AUTHORITY_ID = 1, AUTHORITY_BUMP = 255;

#define SHARED_ACCOUNTS_ROUTE 0x819cd641339b20c1ULL
#define SHARED_ACCOUNTS_EXACT_OUT_ROUTE 0x3e457d9aa869d1b0ULL
#define MARKET_ACCOUNT 0x9ac6e30037d5bedbULL
#define SWAP_EVENT 0xe2710826e8cdc640ULL
#define FEE_EVENT 0xdc0dd5b87f4e4f49ULL

#define EmptyRoute 6000
#define SlippageToleranceExceeded 6001
#define InvalidCalculation 6002
#define MissingPlatformFeeAccount 6003
#define InvalidSlippage 6004
#define NotEnoughPercent 6005
#define InvalidInputIndex 6006
#define InvalidOutputIndex 6007
#define NotEnoughAccountKeys 6008
#define InvalidRoutePlan 6010
#define TokenProgramNotProvided 6015
#define SwapNotSupported 6016
#define SourceAndDestinationMintCannotBeTheSame 6018
#define InsufficientFunds 6024
#define InvalidTokenAccount 6025

/* The accounts of both instructions; the last two follow the published ones, as those of a route do. */
enum {
  S_TOKEN_PROGRAM, S_AUTHORITY, S_USER, S_SOURCE, S_POOL_SOURCE, S_POOL_DESTINATION, S_DESTINATION, S_SOURCE_MINT,
  S_DESTINATION_MINT, S_FEE, S_TOKEN_2022, S_EVENT_AUTHORITY, S_PROGRAM, S_SOURCE_MARKET, S_DESTINATION_MARKET,
  SWAP_ACCOUNTS
};
enum { PUBLISHED_ACCOUNTS = S_SOURCE_MARKET };

/* The account of a token: its mint, its price in 10^-12 dollars (16 bytes), the most that one swap takes of it, how many
   basis points a swap of it gives less, and whether it follows the dollar. */
enum { MINT = 8, PRICE = 40, MAX_INPUT = 56, IMPACT_BPS = 64, STABLE = 66, MARKET_BYTES = 67 };

/* What the pool keeps, in basis points of what it would give. */
enum { FEE_BPS = 10, FEE_BETWEEN_STABLES_BPS = 3 };

/* ---- Numbers of 288 bits: an amount has 64, a price 128, basis points 14, and 10^18 has 60. ---- */

enum { LIMBS = 9, PRICE_LIMBS = 4, DECIMALS_MAX = 18 };
typedef struct { u32 limb[LIMBS]; } Big;

/* By less than 2^32. */
SHARED void scale(Big *big, u64 factor) {
  u64 carry = 0;
  for (int i = 0; i < LIMBS; i++) {
    carry += big->limb[i] * factor;
    big->limb[i] = (u32)carry;
    carry >>= 32;
  }
}

SHARED void multiply(Big *product, const Big *big, u64 factor) {
  Big high = *big;
  *product = *big;
  scale(product, factor & 0xffffffff);
  scale(&high, factor >> 32);
  u64 carry = 0;
  for (int i = 1; i < LIMBS; i++) {
    carry += (u64)product->limb[i] + high.limb[i - 1];
    product->limb[i] = (u32)carry;
    carry >>= 32;
  }
}

SHARED int is_less(const Big *a, const Big *b) {
  for (int i = LIMBS - 1; i >= 0; i--)
    if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i];
  return 0;
}

/* `amount * over / under`; what does not fit is U64_MAX. */
static u64 in_proportion(u64 amount, const Big *over, const Big *under, int round_up) {
  Big wanted, product;
  multiply(&wanted, over, amount);
  u64 quotient = 0;
  for (int bit = 63; bit >= 0; bit--) {
    u64 candidate = quotient | 1ULL << bit;
    multiply(&product, under, candidate);
    if (!is_less(&wanted, &product)) quotient = candidate;
  }
  multiply(&product, under, quotient);
  return quotient + (round_up && is_less(&product, &wanted) && quotient != U64_MAX);
}

/* ---- What the pool gives. ---- */

/* So many units of the destination's token for so many of the source's, before the pool's fee. */
typedef struct { Big gives, takes; u64 fee_bps; } Rate;

static u64 load_market(int market, int mint) {
  TRY(check_ours(market));
  const Account *account = ACCOUNT(market);
  REQUIRE(length_of(account) == MARKET_BYTES, AccountDidNotDeserialize);
  REQUIRE(load64(account->data) == MARKET_ACCOUNT, AccountDiscriminatorMismatch);
  REQUIRE(is(mint, (const Key *)(account->data + MINT)), ConstraintHasOne);
  REQUIRE(load64(account->data + PRICE) | load64(account->data + PRICE + 8), InvalidCalculation);
  REQUIRE(load16(account->data + IMPACT_BPS) <= BPS_ONE && decimals_of(mint) <= DECIMALS_MAX, InvalidCalculation);
  return 0;
}

static void load_price(int market, Big *price) {
  const u8 *at = ACCOUNT(market)->data + PRICE;
  for (int i = 0; i < LIMBS; i++) price->limb[i] = i < PRICE_LIMBS ? (u32)(load16(at + 4 * i) | load16(at + 4 * i + 2) << 16) : 0;
}

static void raise(Big *big, u8 decimals) {
  while (decimals--) scale(big, 10);
}

static u64 load_rate(Rate *rate) {
  TRY(load_market(S_SOURCE_MARKET, S_SOURCE_MINT));
  TRY(load_market(S_DESTINATION_MARKET, S_DESTINATION_MINT));
  const u8 *source = ACCOUNT(S_SOURCE_MARKET)->data, *destination = ACCOUNT(S_DESTINATION_MARKET)->data;
  load_price(S_SOURCE_MARKET, &rate->gives);
  scale(&rate->gives, BPS_ONE - load16(source + IMPACT_BPS));
  raise(&rate->gives, decimals_of(S_DESTINATION_MINT));
  load_price(S_DESTINATION_MARKET, &rate->takes);
  scale(&rate->takes, BPS_ONE);
  raise(&rate->takes, decimals_of(S_SOURCE_MINT));
  rate->fee_bps = source[STABLE] && destination[STABLE] ? FEE_BETWEEN_STABLES_BPS : FEE_BPS;
  return 0;
}

/* What the pool gives for an input. Its fee is rounded up. */
static u64 output_for(u64 input, const Rate *rate, u64 *output) {
  u64 before_fee = in_proportion(input, &rate->gives, &rate->takes, ROUND_DOWN);
  REQUIRE(before_fee != U64_MAX, InvalidCalculation);
  *output = before_fee - multiply_divide(before_fee, rate->fee_bps, BPS_ONE, ROUND_UP);
  return 0;
}

/* The least input for which the pool gives so much. */
static u64 input_for(u64 output, const Rate *rate, u64 *input) {
  u64 before_fee = multiply_divide(output, BPS_ONE, BPS_ONE - rate->fee_bps, ROUND_UP);
  *input = in_proportion(before_fee, &rate->takes, &rate->gives, ROUND_UP);
  REQUIRE(before_fee != U64_MAX && *input != U64_MAX, InvalidCalculation);
  return 0;
}

/* ---- The swap. ---- */

typedef struct { u64 amount, quoted, slippage_bps, fee_bps; } Terms;

/* A route of one step, through this pool: a plan's swap is known by its place in the published list, where ours stands
   as that of token swaps, which has no fields. */
enum { TOKEN_SWAP = 3, WHOLE = 100 };

static u64 read_terms(Terms *terms) {
  Reader reader = ARGUMENTS;
  u64 id = read_bytes(&reader, 1), steps = read_bytes(&reader, 4);
  REQUIRE(reader.broken || steps, EmptyRoute);
  REQUIRE(reader.broken || steps == 1, InvalidRoutePlan);
  u64 swap = read_bytes(&reader, 1), percent = read_bytes(&reader, 1);
  u64 input = read_bytes(&reader, 1), output = read_bytes(&reader, 1);
  REQUIRE(reader.broken || swap == TOKEN_SWAP, SwapNotSupported);
  terms->amount = read_bytes(&reader, 8);
  terms->quoted = read_bytes(&reader, 8);
  terms->slippage_bps = read_bytes(&reader, 2);
  terms->fee_bps = read_bytes(&reader, 1);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  REQUIRE(id == AUTHORITY_ID, ConstraintSeeds);
  REQUIRE(percent == WHOLE, NotEnoughPercent);
  REQUIRE(input == 0, InvalidInputIndex);
  REQUIRE(output == 1, InvalidOutputIndex);
  REQUIRE(terms->slippage_bps <= BPS_ONE, InvalidSlippage);
  return 0;
}

static int program_of(int mint) { return owned_by(mint, &TOKEN_2022_PROGRAM) ? S_TOKEN_2022 : S_TOKEN_PROGRAM; }

static u64 check_mints(void) {
  TRY(check_program(S_TOKEN_PROGRAM, &TOKEN_PROGRAM));
  for (int mint = S_SOURCE_MINT; mint <= S_DESTINATION_MINT; mint++) {
    REQUIRE(program_of(mint) == S_TOKEN_PROGRAM || is(S_TOKEN_2022, &TOKEN_2022_PROGRAM), TokenProgramNotProvided);
    TRY(check_mint(mint, ACCOUNT(program_of(mint))->key));
  }
  REQUIRE(!is(S_SOURCE_MINT, ACCOUNT(S_DESTINATION_MINT)->key), SourceAndDestinationMintCannotBeTheSame);
  return 0;
}

static int is_of(int account, int mint) {
  return is_token_account(account, ACCOUNT(program_of(mint))->key) &&
         same((const Key *)ACCOUNT(account)->data, ACCOUNT(mint)->key);
}

static u64 check_accounts(void) {
  TRY(check_flags(PUBLISHED_ACCOUNTS, BIT(S_USER),
                  BIT(S_SOURCE) | BIT(S_POOL_SOURCE) | BIT(S_POOL_DESTINATION) | BIT(S_DESTINATION)));
  REQUIRE(IN->count >= SWAP_ACCOUNTS, NotEnoughAccountKeys);
  TRY(check_event_accounts(S_EVENT_AUTHORITY));
  REQUIRE(is(S_AUTHORITY, &AUTHORITY), ConstraintSeeds);
  TRY(check_mints());
  const Key *source = ACCOUNT(S_SOURCE_MINT)->key, *destination = ACCOUNT(S_DESTINATION_MINT)->key;
  const Key *source_program = ACCOUNT(program_of(S_SOURCE_MINT))->key;
  const Key *destination_program = ACCOUNT(program_of(S_DESTINATION_MINT))->key;
  TRY(check_token_account(S_SOURCE, source_program, source, ACCOUNT(S_USER)->key));
  TRY(check_token_account(S_POOL_SOURCE, source_program, source, &AUTHORITY));
  TRY(check_token_account(S_POOL_DESTINATION, destination_program, destination, &AUTHORITY));
  REQUIRE(is_of(S_DESTINATION, S_DESTINATION_MINT), InvalidTokenAccount);
  return 0;
}

/* Which mint the integrator's fee is taken in: the one of its account. 0 if there is no fee. */
static u64 fee_mint(const Terms *terms, int *mint) {
  *mint = 0;
  if (!terms->fee_bps) return 0;
  REQUIRE(!is_left_out(S_FEE), MissingPlatformFeeAccount);
  REQUIRE(ACCOUNT(S_FEE)->is_writable, ConstraintMut);
  *mint = is_of(S_FEE, S_SOURCE_MINT) ? S_SOURCE_MINT : S_DESTINATION_MINT;
  REQUIRE(is_of(S_FEE, *mint), InvalidTokenAccount);
  return 0;
}

static u64 share(u64 amount, u64 bps) { return multiply_divide(amount, bps, BPS_ONE, ROUND_DOWN); }

/* What moves: from the user to the pool, from the pool to the user, and the integrator's fee, from the side of its mint. */
typedef struct { u64 given, taken, fee; int fee_mint; } Moves;

static u64 check_depth(u64 input) {
  REQUIRE(input <= load64(ACCOUNT(S_SOURCE_MARKET)->data + MAX_INPUT), SlippageToleranceExceeded);
  return 0;
}

/* All of the input, for no less than was quoted less the slippage. */
static u64 sell(const Terms *terms, const Rate *rate, Moves *moves) {
  u64 from_source = moves->fee_mint == S_SOURCE_MINT ? share(terms->amount, terms->fee_bps) : 0;
  moves->given = terms->amount - from_source;
  TRY(check_depth(moves->given));
  u64 output;
  TRY(output_for(moves->given, rate, &output));
  u64 from_destination = moves->fee_mint == S_DESTINATION_MINT ? share(output, terms->fee_bps) : 0;
  moves->taken = output - from_destination;
  moves->fee = from_source + from_destination;
  REQUIRE(moves->taken >= terms->quoted - share(terms->quoted, terms->slippage_bps), SlippageToleranceExceeded);
  return 0;
}

/* Exactly the output, for no more than was quoted and the slippage. */
static u64 buy(const Terms *terms, const Rate *rate, Moves *moves) {
  REQUIRE(moves->fee_mint != S_DESTINATION_MINT, InvalidTokenAccount);
  moves->taken = terms->amount;
  TRY(input_for(terms->amount, rate, &moves->given));
  TRY(check_depth(moves->given));
  moves->fee = moves->fee_mint ? share(moves->given, terms->fee_bps) : 0;
  u64 more = share(terms->quoted, terms->slippage_bps), most = terms->quoted + more;
  if (most < more) most = U64_MAX;
  REQUIRE(moves->given <= most && moves->fee <= most - moves->given, SlippageToleranceExceeded);
  return 0;
}

static u64 move(const Moves *moves) {
  u64 from_user = moves->given + (moves->fee_mint == S_SOURCE_MINT ? moves->fee : 0);
  REQUIRE(moves->given && moves->taken, InvalidCalculation);
  REQUIRE(balance_of(S_SOURCE) >= from_user, InsufficientFunds);
  Seed seeds[3] = {TEXT_SEED("authority"), {&AUTHORITY_ID, 1}, {&AUTHORITY_BUMP, 1}};
  Signer pool = {seeds, 3};
  Transfer from = {.from = S_SOURCE, .mint = S_SOURCE_MINT, .to = S_POOL_SOURCE, .authority = S_USER,
                   .program = program_of(S_SOURCE_MINT)};
  Transfer to = {.from = S_POOL_DESTINATION, .mint = S_DESTINATION_MINT, .to = S_DESTINATION, .authority = S_AUTHORITY,
                 .program = program_of(S_DESTINATION_MINT)};
  transfer_tokens(&from, moves->given, 0);
  transfer_tokens(&to, moves->taken, &pool);
  if (!moves->fee) return 0;
  from.to = to.to = S_FEE;
  if (moves->fee_mint == S_SOURCE_MINT) transfer_tokens(&from, moves->fee, 0);
  else transfer_tokens(&to, moves->fee, &pool);
  return 0;
}

/* The output before the integrator's fee, as the pool gave it. */
static void tell(const Moves *moves) {
  u64 output = moves->taken + (moves->fee_mint == S_DESTINATION_MINT ? moves->fee : 0);
  u8 *at = put64(put_key(put_key(event(SWAP_EVENT), &AUTHORITY), ACCOUNT(S_SOURCE_MINT)->key), moves->given);
  emit(S_EVENT_AUTHORITY, put64(put_key(at, ACCOUNT(S_DESTINATION_MINT)->key), output));
  if (!moves->fee) return;
  at = put_key(put_key(event(FEE_EVENT), ACCOUNT(S_FEE)->key), ACCOUNT(moves->fee_mint)->key);
  emit(S_EVENT_AUTHORITY, put64(at, moves->fee));
}

static u64 swap(int exact_out) {
  Terms terms;
  TRY(read_terms(&terms));
  TRY(check_accounts());
  Moves moves;
  TRY(fee_mint(&terms, &moves.fee_mint));
  Rate rate;
  TRY(load_rate(&rate));
  TRY(exact_out ? buy(&terms, &rate, &moves) : sell(&terms, &rate, &moves));
  TRY(move(&moves));
  tell(&moves);
  u64 result = exact_out ? moves.given + moves.fee : moves.taken;
  sol_set_return_data((const u8 *)&result, sizeof(result));
  return 0;
}

static u64 shared_accounts_route(void) {
  LOG("Instruction: SharedAccountsRoute");
  return swap(0);
}

static u64 shared_accounts_exact_out_route(void) {
  LOG("Instruction: SharedAccountsExactOutRoute");
  return swap(1);
}

u64 entrypoint(u8 *block) {
  TRY(receive(block));
  REQUIRE(IN->length >= 8, InstructionMissing);
  switch (load64(IN->data)) {
    case SHARED_ACCOUNTS_ROUTE: return shared_accounts_route();
    case SHARED_ACCOUNTS_EXACT_OUT_ROUTE: return shared_accounts_exact_out_route();
    case EVENT_TAG: return receive_event();
  }
  REQUIRE(0, InstructionFallbackNotFound);
  return 0;
}
