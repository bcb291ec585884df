/* Limit orders: an account for each order, and a token account of that account, which escrows the input.

   Initialize moves the maker's tokens into escrow; cancel gives what is there, and all rent, to the maker. The maker may
   cancel at any time, every other wallet once the order has expired, and never to anywhere but the maker.
   Any wallet may fill, in parts, at the maker's rate or better, until the expiry: what is given is rounded up. */
#include "solana.h"

/* j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X, and its keys for ["__event_authority"], ["fee"] and ["keepers"] */
static const Key THIS_PROGRAM = {{10, 195, 74, 150, 193, 102, 113, 90, 96, 193, 35, 62, 202, 37, 138, 13,
                                  243, 11, 30, 200, 88, 224, 116, 92, 115, 106, 18, 98, 102, 99, 75, 34}};
static const Key EVENT_AUTHORITY = {{146, 127, 108, 135, 236, 67, 16, 5, 151, 217, 46, 200, 14, 30, 15, 194,
                                     229, 44, 139, 191, 252, 117, 15, 131, 7, 102, 4, 87, 238, 51, 178, 225}};
static const u8 EVENT_AUTHORITY_BUMP = 255;
static const Key FEE = {{16, 137, 137, 205, 204, 97, 143, 6, 118, 116, 172, 103, 126, 41, 154, 173,
                         177, 40, 254, 32, 217, 204, 216, 40, 229, 8, 201, 241, 191, 155, 48, 235}};

static const Key KEEPERS = {{35, 201, 50, 222, 104, 194, 147, 223, 253, 112, 229, 192, 202, 111, 123, 95,
                             139, 255, 106, 155, 232, 54, 133, 98, 124, 53, 193, 172, 43, 87, 110, 250}};

/* JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4: a fill must name it, and does not call it. */
static const Key AGGREGATOR = {{4, 121, 213, 91, 242, 49, 192, 110, 238, 116, 197, 110, 206, 104, 21, 7,
                                253, 177, 178, 222, 163, 244, 142, 81, 2, 177, 205, 162, 86, 188, 19, 143}};
static const Key USDC_MINT = {{198, 250, 122, 243, 190, 219, 173, 58, 61, 101, 243, 106, 171, 201, 116, 49,
                               177, 187, 228, 194, 210, 246, 224, 228, 124, 166, 2, 3, 69, 47, 93, 97}};
static const Key USDT_MINT = {{206, 1, 14, 96, 175, 237, 178, 39, 23, 189, 99, 25, 47, 84, 20, 90,
                               63, 150, 90, 51, 187, 130, 210, 199, 2, 158, 178, 206, 30, 32, 130, 100}};

#define INITIALIZE_ORDER 0x9ff59f70af4a6e85ULL
#define CANCEL_ORDER 0x84df3108f0ed815fULL
#define CANCEL_DUST_ORDER 0xf617304fa4bd70c5ULL
#define FILL_ORDER 0xa2888fc719737ae8ULL
#define PRE_FLASH_FILL_ORDER 0x2ae1be0d44992ff0ULL
#define FLASH_FILL_ORDER 0x8c124ea4861268fcULL
#define ORDER_ACCOUNT 0x331c564db9dfad86ULL
#define FEE_ACCOUNT 0xb2651ba8fa963718ULL
#define CREATE_ORDER_EVENT 0x54541de6a6488e31ULL
#define CANCEL_ORDER_EVENT 0x4da2e004118d42aeULL
#define CANCEL_DUST_ORDER_EVENT 0xdcc828b11c4abe7cULL
#define TRADE_EVENT 0xee61e64ed37fdbbdULL

#define InvalidMakingAmount 6000
#define InvalidTakingAmount 6001
#define InvalidMaxTakingAmount 6002
#define InvalidInputAccount 6003
#define InvalidMakerOutputAccount 6004
#define InvalidTakerOutputAccount 6005
#define InvalidPair 6006
#define OrderExpired 6007
#define OrderNotExpired 6008
#define InvalidKeeper 6010
#define ProgramMismatch 6012
#define MissingRepayInstructions 6014
#define InvalidBorrowMakingAmount 6016
#define InvalidExpiredDate 6017
#define FeeBpsTooHigh 6019
#define TransferTaxMint 6020
#define InvalidMinTakingAmount 6022
#define InvalidSwapData 6023
#define InvalidSwapInputAmount 6024
#define InvalidSwappedAmount 6025
#define InvalidDustOrder 6026
#define UnsupportedMint 6027

/* The order's account. The expiry is a tag, and eight bytes if the tag is 1: what follows it moves by them. */
enum {
  ORDER_BYTES = 372,
  MAKER = 8,
  INPUT_MINT = 40,
  OUTPUT_MINT = 72,
  INPUT_TOKEN_PROGRAM = 104,
  OUTPUT_TOKEN_PROGRAM = 136,
  INPUT_RESERVE = 168,
  UNIQUE_ID = 200,
  ORIGINAL_MAKING = 208,
  ORIGINAL_TAKING = 216,
  MAKING = 224,
  TAKING = 232,
  BORROWED = 240,
  EXPIRY = 248,
};

/* What follows the expiry, from its first byte on. */
enum { FEE_BPS = 0, FEE_RECEIVER = 2, UPDATED_AT = 42, BUMP = 50, SLIPPAGE_BPS = 51 };

/* Fees are taken by fills only, in hundredths of a percent of the output: our own rate, and an integrator's on top. These
   are our own while the account ["fee"] is absent. */
enum { NORMAL_FEE_BPS = 10, STABLE_FEE_BPS = 3 };

static int is_stable(const Key *mint) { return same(mint, &USDC_MINT) || same(mint, &USDT_MINT); }

/* Our own rate for a pair, as the account ["fee"] says it if it exists. */
static u64 read_own_rate(int at, const Key *input_mint, const Key *output_mint, u64 *bps) {
  const Account *fee = ACCOUNT(at);
  int stable = is_stable(input_mint) && is_stable(output_mint);
  *bps = stable ? STABLE_FEE_BPS : NORMAL_FEE_BPS;
  REQUIRE(is(at, &FEE), ConstraintSeeds);
  if (is_unused(at)) return 0;
  REQUIRE(owned_by(at, &THIS_PROGRAM), AccountOwnedByWrongProgram);
  REQUIRE(length_of(fee) >= 12 && load64(fee->data) == FEE_ACCOUNT, AccountDiscriminatorMismatch);
  *bps = load16(fee->data + (stable ? 10 : 8));
  return 0;
}

/* ---- initialize_order ---- */

enum {
  I_PAYER, I_MAKER, I_ORDER, I_RESERVE, I_MAKER_INPUT, I_FEE, I_REFERRAL, I_INPUT_MINT, I_OUTPUT_MINT, I_INPUT_PROGRAM,
  I_OUTPUT_PROGRAM, I_SYSTEM, I_ASSOCIATED, I_EVENT_AUTHORITY, I_PROGRAM, INITIALIZE_ACCOUNTS
};

typedef struct {
  u64 unique_id, making, taking;
  Option expiry, fee_bps, slippage_bps;
} Terms;

/* The slippage came last to the published interface, and a client that does not know of it ends before it. */
static u64 read_terms(Terms *terms) {
  Reader reader = ARGUMENTS;
  terms->unique_id = read_bytes(&reader, 8);
  terms->making = read_bytes(&reader, 8);
  terms->taking = read_bytes(&reader, 8);
  read_option(&reader, 8, &terms->expiry);
  read_option(&reader, 2, &terms->fee_bps);
  terms->slippage_bps.value = 0;
  if (reader.left) read_option(&reader, 2, &terms->slippage_bps);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  return 0;
}

static u64 check_terms(const Terms *terms, i64 instant) {
  REQUIRE(terms->making, InvalidMakingAmount);
  REQUIRE(terms->taking, InvalidTakingAmount);
  REQUIRE(!terms->expiry.given || (i64)terms->expiry.value >= instant, InvalidExpiredDate);
  REQUIRE(!terms->fee_bps.given || !is_left_out(I_REFERRAL), FeeBpsTooHigh);
  REQUIRE(terms->slippage_bps.value <= BPS_ONE, InvalidMinTakingAmount);
  return 0;
}

static u64 check_token_programs(void) {
  REQUIRE(is(I_INPUT_PROGRAM, &TOKEN_PROGRAM) || is(I_INPUT_PROGRAM, &TOKEN_2022_PROGRAM), InvalidProgramId);
  REQUIRE(is(I_OUTPUT_PROGRAM, &TOKEN_PROGRAM) || is(I_OUTPUT_PROGRAM, &TOKEN_2022_PROGRAM), InvalidProgramId);
  TRY(check_program(I_SYSTEM, &SYSTEM_PROGRAM));
  return check_program(I_ASSOCIATED, &ASSOCIATED_TOKEN_PROGRAM);
}

static u64 check_escrowable(int mint, int program) {
  TRY(check_mint(mint, ACCOUNT(program)->key));
  u64 harmful = harmful_extension(ACCOUNT(mint));
  REQUIRE(harmful != EXTENSION_TRANSFER_FEE, TransferTaxMint);
  REQUIRE(!harmful, UnsupportedMint);
  return 0;
}

static u64 check_pair(void) {
  REQUIRE(!is(I_INPUT_MINT, ACCOUNT(I_OUTPUT_MINT)->key), InvalidPair);
  TRY(check_escrowable(I_INPUT_MINT, I_INPUT_PROGRAM));
  return check_escrowable(I_OUTPUT_MINT, I_OUTPUT_PROGRAM);
}

/* The whole fee of a fill, and the token account that the order remembers for it: the integrator's, or the one of ["fee"]
   for the output mint. */
static u64 settle_fee(const Terms *terms, u64 *bps, Key *account) {
  TRY(read_own_rate(I_FEE, ACCOUNT(I_INPUT_MINT)->key, ACCOUNT(I_OUTPUT_MINT)->key, bps));
  *bps += terms->fee_bps.value;
  REQUIRE(*bps <= BPS_ONE, FeeBpsTooHigh);
  const Key *program = ACCOUNT(I_OUTPUT_PROGRAM)->key, *mint = ACCOUNT(I_OUTPUT_MINT)->key;
  if (is_left_out(I_REFERRAL)) {
    associated_address(&FEE, program, mint, account);
    return 0;
  }
  REQUIRE(is_token_account(I_REFERRAL, program), AccountNotInitialized);
  REQUIRE(same((const Key *)ACCOUNT(I_REFERRAL)->data, mint), ConstraintTokenMint);
  put_key((u8 *)account, ACCOUNT(I_REFERRAL)->key);
  return 0;
}

/* What was there before (a stranger may have created and filled the reserve) is not part of the order; cancel returns it. */
static u64 escrow(u64 making) {
  create_associated(&(Association){.payer = I_PAYER, .account = I_RESERVE, .owner = I_ORDER, .mint = I_INPUT_MINT,
                                   .system = I_SYSTEM, .program = I_INPUT_PROGRAM});
  u64 before = balance_of(I_RESERVE);
  transfer_tokens(&(Transfer){.from = I_MAKER_INPUT, .mint = I_INPUT_MINT, .to = I_RESERVE, .authority = I_MAKER,
                              .program = I_INPUT_PROGRAM}, making, 0);
  REQUIRE(balance_of(I_RESERVE) - before == making, TransferTaxMint);
  return 0;
}

static u8 *put_expiry(u8 *at, const Option *expiry) {
  at = put_number(at, (u64)expiry->given, 1);
  return expiry->given ? put64(at, expiry->value) : at;
}

static void write_order(const Terms *terms, u64 fee_bps, const Key *fee_account, u64 instant, u8 bump) {
  u8 *at = put64(ACCOUNT(I_ORDER)->data, ORDER_ACCOUNT);
  static const u8 KEYS[6] = {I_MAKER, I_INPUT_MINT, I_OUTPUT_MINT, I_INPUT_PROGRAM, I_OUTPUT_PROGRAM, I_RESERVE};
  for (int i = 0; i < 6; i++) at = put_key(at, ACCOUNT(KEYS[i])->key);
  at = put64(at, terms->unique_id);
  at = put64(put64(at, terms->making), terms->taking); /* original */
  at = put64(put64(at, terms->making), terms->taking); /* remaining */
  at = put64(at, 0);                                   /* borrowed */
  at = put_expiry(at, &terms->expiry);
  at = put_key(put_number(at, fee_bps, 2), fee_account);
  at = put64(put64(at, instant), instant); /* created, updated */
  put_number(put_number(at, bump, 1), terms->slippage_bps.value, 2);
}

static void emit_created(const Terms *terms, u64 fee_bps, const Key *fee_account) {
  u8 *at = event(CREATE_ORDER_EVENT);
  static const u8 KEYS[6] = {I_ORDER, I_MAKER, I_INPUT_MINT, I_OUTPUT_MINT, I_INPUT_PROGRAM, I_OUTPUT_PROGRAM};
  for (int i = 0; i < 6; i++) at = put_key(at, ACCOUNT(KEYS[i])->key);
  at = put_expiry(put64(put64(at, terms->making), terms->taking), &terms->expiry);
  at = put_key(put_number(at, fee_bps, 2), fee_account);
  emit(I_EVENT_AUTHORITY, put_number(at, terms->slippage_bps.value, 2));
}

static u64 initialize_order(void) {
  LOG("Instruction: InitializeOrder");
  Terms terms;
  TRY(read_terms(&terms));
  TRY(check_flags(INITIALIZE_ACCOUNTS, BIT(I_PAYER) | BIT(I_MAKER),
                  BIT(I_PAYER) | BIT(I_ORDER) | BIT(I_RESERVE) | BIT(I_MAKER_INPUT)));
  TRY(check_event_accounts(I_EVENT_AUTHORITY));
  TRY(check_token_programs());
  i64 instant = now();
  TRY(check_terms(&terms, instant));
  TRY(check_pair());
  const Key *maker = ACCOUNT(I_MAKER)->key;
  TRY(check_token_account(I_MAKER_INPUT, ACCOUNT(I_INPUT_PROGRAM)->key, ACCOUNT(I_INPUT_MINT)->key, maker));
  u64 fee_bps;
  Key fee_account;
  TRY(settle_fee(&terms, &fee_bps, &fee_account));

  u8 unique_id[8], bump;
  put64(unique_id, terms.unique_id);
  Seed seeds[4] = {TEXT_SEED("order"), {maker, 32}, {unique_id, 8}, {&bump, 1}};
  Key order;
  sol_try_find_program_address(seeds, 3, &THIS_PROGRAM, &order, &bump);
  REQUIRE(is(I_ORDER, &order), ConstraintSeeds);
  Signer signer = {seeds, 4};
  TRY(create_account(I_PAYER, I_ORDER, ORDER_BYTES, &signer));
  TRY(escrow(terms.making));
  write_order(&terms, fee_bps, &fee_account, (u64)instant, bump);
  emit_created(&terms, fee_bps, &fee_account);
  return 0;
}

/* ---- cancel_order ---- */

enum {
  C_SIGNER, C_MAKER, C_ORDER, C_RESERVE, C_MAKER_INPUT, C_INPUT_MINT, C_INPUT_PROGRAM, C_EVENT_AUTHORITY, C_PROGRAM,
  CANCEL_ACCOUNTS
};

/* Where an instruction has the order and what belongs to it. */
typedef struct { int order, maker, reserve; } Parts;

static const Key *key_in(int order, int at) { return (const Key *)(ACCOUNT(order)->data + at); }

static u64 amount_in(int order, int at) { return load64(ACCOUNT(order)->data + at); }

static int has_expiry(int order) { return ACCOUNT(order)->data[EXPIRY]; }

static int is_over(int order) { return has_expiry(order) && now() > (i64)amount_in(order, EXPIRY + 1); }

static u8 *after_expiry(int order) { return ACCOUNT(order)->data + EXPIRY + (has_expiry(order) ? 9 : 1); }

typedef struct { Seed seeds[4]; Signer signer; } Authority;

/* Whether this is an order that no taker has borrowed from, with its maker and its reserve; and how to sign for it. */
static u64 check_order(const Parts *at, u64 borrowed, Authority *authority) {
  const Account *order = ACCOUNT(at->order);
  TRY(check_ours(at->order));
  REQUIRE(length_of(order) == ORDER_BYTES, AccountDidNotDeserialize);
  REQUIRE(load64(order->data) == ORDER_ACCOUNT, AccountDiscriminatorMismatch);
  REQUIRE(has_expiry(at->order) <= 1, AccountDidNotDeserialize);
  REQUIRE(at->maker < 0 || is(at->maker, key_in(at->order, MAKER)), ConstraintHasOne);
  REQUIRE(is(at->reserve, key_in(at->order, INPUT_RESERVE)), ConstraintHasOne);
  REQUIRE((amount_in(at->order, BORROWED) != 0) == borrowed, InvalidBorrowMakingAmount);

  Seed seeds[4] = {TEXT_SEED("order"), {order->data + MAKER, 32}, {order->data + UNIQUE_ID, 8}, {after_expiry(at->order) + BUMP, 1}};
  for (int i = 0; i < 4; i++) authority->seeds[i] = seeds[i];
  authority->signer.seeds = authority->seeds;
  authority->signer.count = 4;
  Key derived;
  u64 underivable = sol_create_program_address(authority->seeds, 4, &THIS_PROGRAM, &derived);
  REQUIRE(!underivable && is(at->order, &derived), ConstraintSeeds);
  return 0;
}

static u64 check_input(int order, int mint, int program) {
  REQUIRE(mint < 0 || is(mint, key_in(order, INPUT_MINT)), ConstraintHasOne);
  REQUIRE(is(program, key_in(order, INPUT_TOKEN_PROGRAM)), ConstraintHasOne);
  return 0;
}

/* At the second of its expiry an order can still fill, and belongs to its maker alone. One that has nothing left, but
   still is there since something else lies in its reserve, any wallet may clear away. */
static u64 check_right(void) {
  if (is(C_SIGNER, ACCOUNT(C_MAKER)->key) || !amount_in(C_ORDER, MAKING)) return 0;
  REQUIRE(is_over(C_ORDER), OrderNotExpired);
  return 0;
}

/* The maker chooses among its own accounts; a stranger may name only the associated one. Without an account the reserve
   is closed as it is, which returns lamports, and is right for wrapped SOL only. */
static u64 check_destination(void) {
  const Key *program = ACCOUNT(C_INPUT_PROGRAM)->key, *mint = ACCOUNT(C_INPUT_MINT)->key, *maker = ACCOUNT(C_MAKER)->key;
  if (is_left_out(C_MAKER_INPUT)) {
    REQUIRE(same(mint, &WRAPPED_SOL_MINT), InvalidInputAccount);
    return 0;
  }
  REQUIRE(ACCOUNT(C_MAKER_INPUT)->is_writable, ConstraintMut);
  TRY(check_token_account(C_MAKER_INPUT, program, mint, maker));
  return is(C_SIGNER, maker) ? 0 : check_associated(C_MAKER_INPUT, maker, program, mint);
}

static u64 cancel_order(void) {
  LOG("Instruction: CancelOrder");
  TRY(check_flags(CANCEL_ACCOUNTS, BIT(C_SIGNER), BIT(C_MAKER) | BIT(C_ORDER) | BIT(C_RESERVE)));
  TRY(check_event_accounts(C_EVENT_AUTHORITY));
  Authority authority;
  TRY(check_order(&(Parts){C_ORDER, C_MAKER, C_RESERVE}, 0, &authority));
  TRY(check_input(C_ORDER, C_INPUT_MINT, C_INPUT_PROGRAM));
  TRY(check_right());
  TRY(check_destination());

  REQUIRE(is_token_account(C_RESERVE, ACCOUNT(C_INPUT_PROGRAM)->key), AccountNotInitialized);
  if (!is_left_out(C_MAKER_INPUT))
    transfer_tokens(&(Transfer){.from = C_RESERVE, .mint = C_INPUT_MINT, .to = C_MAKER_INPUT, .authority = C_ORDER,
                                .program = C_INPUT_PROGRAM}, balance_of(C_RESERVE), &authority.signer);
  close_token_account(C_RESERVE, C_MAKER, C_ORDER, C_INPUT_PROGRAM, &authority.signer);
  emit(C_EVENT_AUTHORITY, put_key(event(CANCEL_ORDER_EVENT), ACCOUNT(C_ORDER)->key));
  destroy_account(C_ORDER, C_MAKER);
  return 0;
}

/* ---- cancel_dust_order: a keeper says what one dollar is in the input, and returns an order that has less. ---- */

enum {
  DUST_SIGNER, DUST_MAKER, DUST_ORDER, DUST_RESERVE, DUST_MAKER_INPUT, DUST_INPUT_MINT, DUST_INPUT_PROGRAM, DUST_SYSTEM,
  DUST_ASSOCIATED, DUST_EVENT_AUTHORITY, DUST_PROGRAM, CANCEL_DUST_ACCOUNTS, DUST_KEEPERS = CANCEL_DUST_ACCOUNTS
};

/* Makes the maker's associated account if it is missing. What the signer paid for it is returned from the rents. */
static u64 prepare_refund(u64 *paid) {
  const Key *program = ACCOUNT(DUST_INPUT_PROGRAM)->key, *mint = ACCOUNT(DUST_INPUT_MINT)->key;
  const Key *maker = ACCOUNT(DUST_MAKER)->key;
  TRY(check_associated(DUST_MAKER_INPUT, maker, program, mint));
  *paid = 0;
  if (!is_unused(DUST_MAKER_INPUT)) return check_token_account(DUST_MAKER_INPUT, program, mint, maker);
  REQUIRE(ACCOUNT(DUST_SIGNER)->is_writable, ConstraintMut);
  u64 before = *ACCOUNT(DUST_SIGNER)->lamports;
  create_associated(&(Association){.payer = DUST_SIGNER, .account = DUST_MAKER_INPUT, .owner = DUST_MAKER,
                                   .mint = DUST_INPUT_MINT, .system = DUST_SYSTEM, .program = DUST_INPUT_PROGRAM});
  *paid = before - *ACCOUNT(DUST_SIGNER)->lamports;
  return 0;
}

static u64 cancel_dust_order(void) {
  LOG("Instruction: CancelDustOrder");
  Reader reader = ARGUMENTS;
  u64 dollar = read_bytes(&reader, 8), paid;
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  TRY(check_flags(CANCEL_DUST_ACCOUNTS, BIT(DUST_SIGNER),
                  BIT(DUST_MAKER) | BIT(DUST_ORDER) | BIT(DUST_RESERVE) | BIT(DUST_MAKER_INPUT)));
  TRY(check_event_accounts(DUST_EVENT_AUTHORITY));
  TRY(check_program(DUST_SYSTEM, &SYSTEM_PROGRAM));
  TRY(check_program(DUST_ASSOCIATED, &ASSOCIATED_TOKEN_PROGRAM));
  REQUIRE(is_keeper(DUST_SIGNER, DUST_KEEPERS), InvalidKeeper);
  Authority authority;
  TRY(check_order(&(Parts){DUST_ORDER, DUST_MAKER, DUST_RESERVE}, 0, &authority));
  TRY(check_input(DUST_ORDER, DUST_INPUT_MINT, DUST_INPUT_PROGRAM));
  REQUIRE(amount_in(DUST_ORDER, MAKING) < dollar, InvalidDustOrder);
  REQUIRE(is_token_account(DUST_RESERVE, ACCOUNT(DUST_INPUT_PROGRAM)->key), AccountNotInitialized);
  TRY(prepare_refund(&paid));

  transfer_tokens(&(Transfer){.from = DUST_RESERVE, .mint = DUST_INPUT_MINT, .to = DUST_MAKER_INPUT,
                              .authority = DUST_ORDER, .program = DUST_INPUT_PROGRAM},
                  balance_of(DUST_RESERVE), &authority.signer);
  close_token_account(DUST_RESERVE, DUST_MAKER, DUST_ORDER, DUST_INPUT_PROGRAM, &authority.signer);
  emit(DUST_EVENT_AUTHORITY, put64(put_key(event(CANCEL_DUST_ORDER_EVENT), ACCOUNT(DUST_ORDER)->key), dollar));
  give_lamports(DUST_ORDER, DUST_SIGNER, paid);
  destroy_account(DUST_ORDER, DUST_MAKER);
  return 0;
}

/* ---- Fills: fill_order, and flash_fill_order after pre_flash_fill_order. ---- */

typedef struct {
  Parts parts;
  int taker, taker_output, maker_output, fee, input_program, output_mint, output_program, system, event_authority, rates;
} Filling;

/* What the maker's rate asks for so much of the input, and then, for so much that is left. Always by the original
   amounts and rounded up: a thousand small parts give no less than one. */
static u64 price_of(int order, u64 input) {
  return multiply_divide(amount_in(order, ORIGINAL_TAKING), input, amount_in(order, ORIGINAL_MAKING), ROUND_UP);
}

/* Without an account of the maker the output comes as lamports, from the taker's own, which is right for SOL only. */
static int pays_lamports(const Filling *at) { return is_left_out(at->maker_output); }

/* Our own fee account follows ["fee"], behind the published accounts. A taker that does not name both, as published ones
   do not, gives the whole fee to the order's account. */
static int names_own_fee(const Filling *at) { return IN->count > (u64)at->rates && is(at->rates, &FEE); }

static u64 check_own_fee(const Filling *at) {
  if (!names_own_fee(at)) return 0;
  const Key *program = ACCOUNT(at->output_program)->key, *mint = ACCOUNT(at->output_mint)->key;
  int own = at->rates + 1;
  REQUIRE(IN->count > (u64)own, AccountNotEnoughKeys);
  REQUIRE(ACCOUNT(own)->is_writable, ConstraintMut);
  TRY(check_associated(own, &FEE, program, mint));
  return check_token_account(own, program, mint, &FEE);
}

static u64 check_receivers(const Filling *at) {
  const Key *program = ACCOUNT(at->output_program)->key, *mint = ACCOUNT(at->output_mint)->key;
  const Key *maker = ACCOUNT(at->parts.maker)->key;
  REQUIRE(has_key(after_expiry(at->parts.order) + FEE_RECEIVER, ACCOUNT(at->fee)->key), ConstraintHasOne);
  REQUIRE(is_token_account(at->fee, program), AccountNotInitialized);
  REQUIRE(same((const Key *)ACCOUNT(at->fee)->data, mint), ConstraintTokenMint);
  TRY(check_own_fee(at));
  if (pays_lamports(at)) {
    REQUIRE(same(mint, &WRAPPED_SOL_MINT), InvalidMakerOutputAccount);
    return 0;
  }
  REQUIRE(ACCOUNT(at->maker_output)->is_writable, ConstraintMut);
  TRY(check_token_account(at->maker_output, program, mint, maker));
  TRY(check_associated(at->maker_output, maker, program, mint));
  REQUIRE(!is_left_out(at->taker_output), InvalidTakerOutputAccount);
  REQUIRE(ACCOUNT(at->taker_output)->is_writable, ConstraintMut);
  return check_token_account(at->taker_output, program, mint, ACCOUNT(at->taker)->key);
}

static u64 check_filling(const Filling *at, u64 borrowed, Authority *authority) {
  int order = at->parts.order;
  TRY(check_event_accounts(at->event_authority));
  TRY(check_program(at->system, &SYSTEM_PROGRAM));
  TRY(check_order(&at->parts, borrowed, authority));
  REQUIRE(is(at->output_mint, key_in(order, OUTPUT_MINT)), ConstraintHasOne);
  REQUIRE(is(at->output_program, key_in(order, OUTPUT_TOKEN_PROGRAM)), ConstraintHasOne);
  REQUIRE(!is_over(order), OrderExpired);
  return check_receivers(at);
}

/* What of the whole fee is our own. A rate that rose since the order was made takes from the integrator, not the maker. */
static u64 split_fee(const Filling *at, u64 given, u64 *own) {
  int order = at->parts.order;
  u64 whole = load16(after_expiry(order) + FEE_BPS), bps;
  *own = 0;
  if (!names_own_fee(at)) return 0;
  TRY(read_own_rate(at->rates, key_in(order, INPUT_MINT), key_in(order, OUTPUT_MINT), &bps));
  *own = multiply_divide(given, bps < whole ? bps : whole, BPS_ONE, ROUND_DOWN);
  return 0;
}

static void pay_fee(const Filling *at, int account, u64 fee) {
  if (!fee) return;
  if (pays_lamports(at)) {
    system_transfer(at->taker, account, fee), sync_native(account);
    return;
  }
  transfer_tokens(&(Transfer){.from = at->taker_output, .mint = at->output_mint, .to = account, .authority = at->taker,
                              .program = at->output_program}, fee, 0);
}

/* The maker and the fee accounts get what the taker gives. The whole fee and our own part of it are rounded down. */
static u64 pay_output(const Filling *at, u64 given) {
  u64 fee = multiply_divide(given, load16(after_expiry(at->parts.order) + FEE_BPS), BPS_ONE, ROUND_DOWN), own;
  TRY(split_fee(at, given, &own));
  if (pays_lamports(at)) {
    system_transfer(at->taker, at->parts.maker, given - fee);
  } else {
    u64 before = balance_of(at->maker_output);
    transfer_tokens(&(Transfer){.from = at->taker_output, .mint = at->output_mint, .to = at->maker_output,
                                .authority = at->taker, .program = at->output_program}, given - fee, 0);
    REQUIRE(balance_of(at->maker_output) - before == given - fee, InvalidSwappedAmount);
  }
  pay_fee(at, at->rates + 1, own);
  pay_fee(at, at->fee, fee - own);
  return 0;
}

/* Writes down what was filled. An order that has nothing left is closed, and both rents go to the maker; but not while a
   stranger's tokens lie in its reserve, for which this instruction names no account: a cancel returns those. */
static void settle_fill(const Filling *at, u64 input, u64 given, const Signer *signer) {
  int order = at->parts.order, reserve = at->parts.reserve, maker = at->parts.maker;
  u8 *data = ACCOUNT(order)->data;
  u64 left = amount_in(order, MAKING) - input, wanted = price_of(order, left);
  put64(put64(put64(data + MAKING, left), wanted), 0);
  put64(after_expiry(order) + UPDATED_AT, (u64)now());
  u8 *told = put_key(put_key(event(TRADE_EVENT), ACCOUNT(order)->key), ACCOUNT(at->taker)->key);
  told = put64(put64(put64(put64(told, left), wanted), input), given);
  int closes = !left && (!balance_of(reserve) || same(key_in(order, INPUT_MINT), &WRAPPED_SOL_MINT));
  if (closes) close_token_account(reserve, maker, order, at->input_program, signer);
  emit(at->event_authority, told);
  if (closes) destroy_account(order, maker);
}

enum {
  F_TAKER, F_MAKER, F_ORDER, F_TAKER_INPUT, F_TAKER_OUTPUT, F_MAKER_OUTPUT, F_FEE, F_RESERVE, F_INPUT_MINT,
  F_INPUT_PROGRAM, F_OUTPUT_MINT, F_OUTPUT_PROGRAM, F_AGGREGATOR, F_SYSTEM, F_EVENT_AUTHORITY, F_PROGRAM, FILL_ACCOUNTS,
  F_KEEPERS = FILL_ACCOUNTS, F_RATES
};

static const Filling FILL = {{F_ORDER, F_MAKER, F_RESERVE}, F_TAKER, F_TAKER_OUTPUT, F_MAKER_OUTPUT, F_FEE,
                             F_INPUT_PROGRAM, F_OUTPUT_MINT, F_OUTPUT_PROGRAM, F_SYSTEM, F_EVENT_AUTHORITY, F_RATES};

/* The swap's data says what the taker gives for the input, as eight bytes: nothing is called. Without it the taker gives
   what the rate asks. */
static u64 read_fill(u64 *input, Option *given) {
  Reader reader = ARGUMENTS;
  *input = read_bytes(&reader, 8);
  u64 length = read_bytes(&reader, 4);
  REQUIRE(!reader.broken && length <= reader.left, InstructionDidNotDeserialize);
  REQUIRE(length == 0 || length == 8, InvalidSwapData);
  given->given = length == 8;
  given->value = read_bytes(&reader, length);
  return 0;
}

/* Only a keeper may use the slippage that the maker allows: everybody else would, at once and always. */
static u64 check_given(u64 given, u64 asked) {
  if (given >= asked) return 0;
  u64 slippage = load16(after_expiry(F_ORDER) + SLIPPAGE_BPS);
  REQUIRE(given && given >= multiply_divide(asked, BPS_ONE - slippage, BPS_ONE, ROUND_UP), InvalidSwappedAmount);
  REQUIRE(is_keeper(F_TAKER, F_KEEPERS), InvalidKeeper);
  return 0;
}

static u64 fill_order(void) {
  LOG("Instruction: FillOrder");
  u64 input;
  Option given;
  TRY(read_fill(&input, &given));
  TRY(check_flags(FILL_ACCOUNTS, BIT(F_TAKER), BIT(F_TAKER) | BIT(F_MAKER) | BIT(F_ORDER) | BIT(F_TAKER_INPUT) |
                                                   BIT(F_TAKER_OUTPUT) | BIT(F_FEE) | BIT(F_RESERVE)));
  REQUIRE(is(F_AGGREGATOR, &AGGREGATOR), ConstraintAddress);
  Authority authority;
  TRY(check_filling(&FILL, 0, &authority));
  TRY(check_input(F_ORDER, F_INPUT_MINT, F_INPUT_PROGRAM));
  const Key *program = ACCOUNT(F_INPUT_PROGRAM)->key, *mint = ACCOUNT(F_INPUT_MINT)->key;
  TRY(check_token_account(F_TAKER_INPUT, program, mint, ACCOUNT(F_TAKER)->key));
  REQUIRE(input && input <= amount_in(F_ORDER, MAKING), InvalidSwapInputAmount);
  u64 asked = price_of(F_ORDER, input);
  if (!given.given) given.value = asked;
  TRY(check_given(given.value, asked));

  transfer_tokens(&(Transfer){.from = F_RESERVE, .mint = F_INPUT_MINT, .to = F_TAKER_INPUT, .authority = F_ORDER,
                              .program = F_INPUT_PROGRAM}, input, &authority.signer);
  TRY(pay_output(&FILL, given.value));
  settle_fill(&FILL, input, given.value, &authority.signer);
  return 0;
}

enum { B_TAKER, B_ORDER, B_RESERVE, B_TAKER_INPUT, B_INPUT_MINT, B_INPUT_PROGRAM, B_SYSVAR, PRE_FLASH_ACCOUNTS };

enum {
  L_TAKER, L_MAKER, L_ORDER, L_RESERVE, L_MAKER_OUTPUT, L_TAKER_OUTPUT, L_FEE, L_INPUT_PROGRAM, L_OUTPUT_MINT,
  L_OUTPUT_PROGRAM, L_SYSTEM, L_EVENT_AUTHORITY, L_PROGRAM, FLASH_ACCOUNTS,
  L_RATES = FLASH_ACCOUNTS
};

static const Filling FLASH = {{L_ORDER, L_MAKER, L_RESERVE}, L_TAKER, L_TAKER_OUTPUT, L_MAKER_OUTPUT, L_FEE,
                              L_INPUT_PROGRAM, L_OUTPUT_MINT, L_OUTPUT_PROGRAM, L_SYSTEM, L_EVENT_AUTHORITY, L_RATES};

/* The taker gets the input first. The transaction must have, later and at its top, one instruction that pays for it. */
static u64 pre_flash_fill_order(void) {
  LOG("Instruction: PreFlashFillOrder");
  Reader reader = ARGUMENTS;
  u64 input = read_bytes(&reader, 8);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  TRY(check_flags(PRE_FLASH_ACCOUNTS, BIT(B_TAKER), BIT(B_ORDER) | BIT(B_RESERVE) | BIT(B_TAKER_INPUT)));
  REQUIRE(is(B_SYSVAR, &INSTRUCTIONS_SYSVAR), ConstraintAddress);
  REQUIRE(sol_get_stack_height() == 1, ProgramMismatch);
  Authority authority;
  TRY(check_order(&(Parts){B_ORDER, -1, B_RESERVE}, 0, &authority));
  TRY(check_input(B_ORDER, B_INPUT_MINT, B_INPUT_PROGRAM));
  const Key *taker = ACCOUNT(B_TAKER)->key;
  TRY(check_token_account(B_TAKER_INPUT, ACCOUNT(B_INPUT_PROGRAM)->key, ACCOUNT(B_INPUT_MINT)->key, taker));
  REQUIRE(!is_over(B_ORDER), OrderExpired);
  REQUIRE(input && input <= amount_in(B_ORDER, MAKING), InvalidBorrowMakingAmount);
  Expected repayment = {FLASH_FILL_ORDER, {L_TAKER, L_ORDER}, {taker, ACCOUNT(B_ORDER)->key}};
  REQUIRE(count_expected(B_SYSVAR, &repayment) == 1, MissingRepayInstructions);

  transfer_tokens(&(Transfer){.from = B_RESERVE, .mint = B_INPUT_MINT, .to = B_TAKER_INPUT, .authority = B_ORDER,
                              .program = B_INPUT_PROGRAM}, input, &authority.signer);
  put64(ACCOUNT(B_ORDER)->data + BORROWED, input);
  return 0;
}

static u64 flash_fill_order(void) {
  LOG("Instruction: FlashFillOrder");
  Reader reader = ARGUMENTS;
  u64 most = read_bytes(&reader, 8);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  TRY(check_flags(FLASH_ACCOUNTS, BIT(L_TAKER),
                  BIT(L_TAKER) | BIT(L_MAKER) | BIT(L_ORDER) | BIT(L_RESERVE) | BIT(L_FEE)));
  Authority authority;
  TRY(check_filling(&FLASH, 1, &authority));
  TRY(check_input(L_ORDER, -1, L_INPUT_PROGRAM));
  u64 input = amount_in(L_ORDER, BORROWED), asked = price_of(L_ORDER, input);
  REQUIRE(asked <= most, InvalidMaxTakingAmount);
  TRY(pay_output(&FLASH, asked));
  settle_fill(&FLASH, input, asked, &authority.signer);
  return 0;
}

u64 entrypoint(u8 *block) {
  TRY(receive(block));
  REQUIRE(IN->length >= 8, InstructionMissing);
  switch (load64(IN->data)) {
    case INITIALIZE_ORDER: return initialize_order();
    case FILL_ORDER: return fill_order();
    case PRE_FLASH_FILL_ORDER: return pre_flash_fill_order();
    case FLASH_FILL_ORDER: return flash_fill_order();
    case CANCEL_ORDER: return cancel_order();
    case CANCEL_DUST_ORDER: return cancel_dust_order();
    case EVENT_TAG: return receive_event();
  }
  REQUIRE(0, InstructionFallbackNotFound);
  return 0;
}
