/* Limit orders: an account for each order, and a token account of that account, which escrows the input.

   Initialize moves the maker's tokens into escrow; cancel gives what is there, and all rent, to the maker. The maker may
   cancel at any time, everybody else once the order has expired, and never to anywhere but the maker. */
#include "solana.h"

/* j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X, and its keys for ["__event_authority"] and ["fee"] */
static const Key THIS_PROGRAM = {{10, 195, 74, 150, 193, 102, 113, 90, 96, 193, 35, 62, 202, 37, 138, 13,
                                  243, 11, 30, 200, 88, 224, 116, 92, 115, 106, 18, 98, 102, 99, 75, 34}};
static const Key EVENT_AUTHORITY = {{146, 127, 108, 135, 236, 67, 16, 5, 151, 217, 46, 200, 14, 30, 15, 194,
                                     229, 44, 139, 191, 252, 117, 15, 131, 7, 102, 4, 87, 238, 51, 178, 225}};
static const u8 EVENT_AUTHORITY_BUMP = 255;
static const Key FEE = {{16, 137, 137, 205, 204, 97, 143, 6, 118, 116, 172, 103, 126, 41, 154, 173,
                         177, 40, 254, 32, 217, 204, 216, 40, 229, 8, 201, 241, 191, 155, 48, 235}};

static const Key USDC_MINT = {{198, 250, 122, 243, 190, 219, 173, 58, 61, 101, 243, 106, 171, 201, 116, 49,
                               177, 187, 228, 194, 210, 246, 224, 228, 124, 166, 2, 3, 69, 47, 93, 97}};
static const Key USDT_MINT = {{206, 1, 14, 96, 175, 237, 178, 39, 23, 189, 99, 25, 47, 84, 20, 90,
                               63, 150, 90, 51, 187, 130, 210, 199, 2, 158, 178, 206, 30, 32, 130, 100}};

#define INITIALIZE_ORDER 0x9ff59f70af4a6e85ULL
#define CANCEL_ORDER 0x84df3108f0ed815fULL
#define ORDER_ACCOUNT 0x331c564db9dfad86ULL
#define FEE_ACCOUNT 0xb2651ba8fa963718ULL
#define CREATE_ORDER_EVENT 0x54541de6a6488e31ULL
#define CANCEL_ORDER_EVENT 0x4da2e004118d42aeULL

#define InvalidMakingAmount 6000
#define InvalidTakingAmount 6001
#define InvalidInputAccount 6003
#define InvalidPair 6006
#define OrderNotExpired 6008
#define InvalidBorrowMakingAmount 6016
#define InvalidExpiredDate 6017
#define FeeBpsTooHigh 6019
#define TransferTaxMint 6020
#define InvalidMinTakingAmount 6022
#define UnsupportedMint 6027

/* The order's account. The expiry is a tag, and eight bytes if the tag is 1: what follows it moves by them. */
enum {
  ORDER_BYTES = 372,
  MAKER = 8,
  INPUT_MINT = 40,
  INPUT_TOKEN_PROGRAM = 104,
  INPUT_RESERVE = 168,
  UNIQUE_ID = 200,
  BORROWED = 240,
  EXPIRY = 248,
  FROM_EXPIRY_TO_BUMP = 2 + 32 + 8 + 8,
};

/* Fees are taken by fills only, in hundredths of a percent of the output. These apply while the fee account is absent. */
enum { BPS_ONE = 10000, NORMAL_FEE_BPS = 10, STABLE_FEE_BPS = 3 };

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
  REQUIRE(terms->fee_bps.value <= BPS_ONE, FeeBpsTooHigh);
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

static int is_stable(int mint) { return is(mint, &USDC_MINT) || is(mint, &USDT_MINT); }

/* The fee of a fill and the token account that gets it: the referral's, or the one of ["fee"] for the output mint. */
static u64 settle_fee(const Terms *terms, u64 *bps, Key *account) {
  const Account *fee = ACCOUNT(I_FEE);
  int stable = is_stable(I_INPUT_MINT) && is_stable(I_OUTPUT_MINT);
  u64 least = stable ? STABLE_FEE_BPS : NORMAL_FEE_BPS;
  REQUIRE(is(I_FEE, &FEE), ConstraintSeeds);
  if (!is_unused(I_FEE)) {
    REQUIRE(owned_by(I_FEE, &THIS_PROGRAM), AccountOwnedByWrongProgram);
    REQUIRE(length_of(fee) >= 12 && load64(fee->data) == FEE_ACCOUNT, AccountDiscriminatorMismatch);
    const u8 *rate = fee->data + (stable ? 10 : 8);
    least = rate[0] | (u64)rate[1] << 8;
  }
  *bps = terms->fee_bps.value > least ? terms->fee_bps.value : least;
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

static const Key *order_key(int at) { return (const Key *)(ACCOUNT(C_ORDER)->data + at); }

static int has_expiry(void) { return ACCOUNT(C_ORDER)->data[EXPIRY]; }

static u64 check_order(void) {
  const Account *order = ACCOUNT(C_ORDER);
  TRY(check_ours(C_ORDER));
  REQUIRE(length_of(order) == ORDER_BYTES, AccountDidNotDeserialize);
  REQUIRE(load64(order->data) == ORDER_ACCOUNT, AccountDiscriminatorMismatch);
  REQUIRE(has_expiry() <= 1, AccountDidNotDeserialize);
  REQUIRE(is(C_MAKER, order_key(MAKER)), ConstraintHasOne);
  REQUIRE(is(C_INPUT_MINT, order_key(INPUT_MINT)), ConstraintHasOne);
  REQUIRE(is(C_INPUT_PROGRAM, order_key(INPUT_TOKEN_PROGRAM)), ConstraintHasOne);
  REQUIRE(is(C_RESERVE, order_key(INPUT_RESERVE)), ConstraintHasOne);
  REQUIRE(load64(order->data + BORROWED) == 0, InvalidBorrowMakingAmount);
  return 0;
}

/* At the second of its expiry an order can still fill, and belongs to its maker alone. */
static u64 check_right(void) {
  if (is(C_SIGNER, ACCOUNT(C_MAKER)->key)) return 0;
  REQUIRE(has_expiry() && now() > (i64)load64(ACCOUNT(C_ORDER)->data + EXPIRY + 1), OrderNotExpired);
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
  TRY(check_order());
  TRY(check_right());
  TRY(check_destination());

  const u8 *data = ACCOUNT(C_ORDER)->data;
  u8 bump = data[EXPIRY + (has_expiry() ? 9 : 1) + FROM_EXPIRY_TO_BUMP];
  Seed seeds[4] = {TEXT_SEED("order"), {data + MAKER, 32}, {data + UNIQUE_ID, 8}, {&bump, 1}};
  Key order;
  u64 underivable = sol_create_program_address(seeds, 4, &THIS_PROGRAM, &order);
  REQUIRE(!underivable && is(C_ORDER, &order), ConstraintSeeds);
  Signer signer = {seeds, 4};

  REQUIRE(is_token_account(C_RESERVE, ACCOUNT(C_INPUT_PROGRAM)->key), AccountNotInitialized);
  if (!is_left_out(C_MAKER_INPUT))
    transfer_tokens(&(Transfer){.from = C_RESERVE, .mint = C_INPUT_MINT, .to = C_MAKER_INPUT, .authority = C_ORDER,
                                .program = C_INPUT_PROGRAM}, balance_of(C_RESERVE), &signer);
  close_token_account(C_RESERVE, C_MAKER, C_ORDER, C_INPUT_PROGRAM, &signer);
  emit(C_EVENT_AUTHORITY, put_key(event(CANCEL_ORDER_EVENT), ACCOUNT(C_ORDER)->key));
  destroy_account(C_ORDER, C_MAKER);
  return 0;
}

u64 entrypoint(u8 *block) {
  TRY(receive(block));
  REQUIRE(IN->length >= 8, InstructionMissing);
  switch (load64(IN->data)) {
    case INITIALIZE_ORDER: return initialize_order();
    case CANCEL_ORDER: return cancel_order();
    case EVENT_TAG: return receive_event();
  }
  REQUIRE(0, InstructionFallbackNotFound);
  return 0;
}
