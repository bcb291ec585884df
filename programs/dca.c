/* Recurring orders (dollar-cost averaging): an account for each, and two token accounts of that account, which escrow the
   input and collect the output.

   Only the user deposits, withdraws and closes, and gets everything that is there. Only mints of the first token program
   are taken: an amount that arrives is then the amount that was sent.
   A known keeper borrows the input of a cycle that is due, and must bring output in the same transaction. */
#include "solana.h"

/* DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M, and its key for ["__event_authority"] */
static const Key THIS_PROGRAM = {{181, 39, 212, 93, 100, 14, 62, 193, 95, 97, 93, 91, 14, 35, 165, 74,
                                  150, 184, 63, 11, 130, 11, 247, 6, 53, 242, 67, 74, 198, 64, 204, 4}};
static const Key EVENT_AUTHORITY = {{176, 117, 168, 6, 99, 121, 202, 111, 227, 112, 55, 255, 12, 40, 213, 84,
                                     166, 228, 214, 54, 217, 232, 81, 140, 254, 110, 186, 233, 63, 82, 54, 254}};
static const u8 EVENT_AUTHORITY_BUMP = 254;

/* Its keys for ["fee"] and ["keepers"] */
static const Key FEE_AUTHORITY = {{175, 175, 26, 61, 111, 244, 249, 117, 220, 6, 75, 237, 170, 91, 117, 124,
                                   73, 11, 154, 243, 210, 236, 100, 50, 185, 230, 96, 175, 180, 207, 172, 105}};
static const Key KEEPERS = {{227, 87, 104, 176, 82, 159, 171, 176, 207, 11, 215, 26, 169, 18, 110, 221,
                             16, 175, 235, 27, 233, 20, 168, 228, 233, 117, 71, 70, 21, 96, 144, 17}};

/* So11111111111111111111111111111111111111111: how clients also name SOL where wrapped SOL is meant. */
static const Key SOL_BY_ANOTHER_NAME = {{6, 155, 136, 87, 254, 171, 129, 132, 251, 104, 127, 99, 70, 24, 192, 53,
                                         218, 196, 57, 220, 26, 235, 59, 85, 152, 160, 240, 0, 0, 0, 0, 0}};

#define OPEN_DCA 0xa364d20136b94124ULL
#define OPEN_DCA_V2 0xb10b34a26d2b778eULL
#define CLOSE_DCA 0xf322b7a862210716ULL
#define DEPOSIT 0xb6f2e15289c623f2ULL
#define WITHDRAW 0x22a16d949c4612b7ULL
#define INITIATE_FLASH_FILL 0x31f5d7a2bf03cd8fULL
#define FULFILL_FLASH_FILL 0xa269d3214ee24073ULL
#define TRANSFER 0xba45038ce7c834a3ULL
#define END_AND_CLOSE 0x8567fcf745a67d53ULL
#define DCA_ACCOUNT 0x9a9165287f5a5d52ULL
#define OPENED_EVENT 0x6dbd4c4d0961aca6ULL
#define CLOSED_EVENT 0xefc3dc879b571f32ULL
#define DEPOSIT_EVENT 0x3488a9f4aff2cd3eULL
#define WITHDRAW_EVENT 0xf75a9646d9c9f1c0ULL
#define FILLED_EVENT 0xadb12ddd3f110486ULL
#define COLLECTED_FEE_EVENT 0xb56dd1b574d8882aULL

#define InvalidAmount 6000
#define InvalidCycleAmount 6001
#define InvalidPair 6002
#define TooFrequent 6003
#define InvalidMaxPrice 6005
#define InAmountInsufficient 6006
#define Unauthorized 6007
#define NoUserInATA 6009
#define NoUserOutATA 6011
#define InsufficientBalanceInProgram 6012
#define InvalidDepositAmount 6013
#define UserInsufficientBalance 6014
#define UnauthorizedKeeper 6015
#define KeeperNotTimeToFill 6018
#define SwapOutAmountBelowMinimum 6020
#define MathOverflow 6022
#define ProgramMismatch 6024
#define IncorrectRepaymentAmount 6025
#define CannotBorrowBeforeRepay 6026
#define MissingRepayInstructions 6032
#define KeeperShortchanged 6033
#define WrongTransferAmount 6035
#define MissedInstruction 6039
#define BalanceNotZero 6041
#define IntermediateAccountNotSet 6043
#define SwapOutLessThanUserMinimum 6045
#define SwapOutMoreThanUserMaximum 6046

enum { CYCLE_SECONDS_MIN = 30, FEE_BPS = 10 };

/* The account. All of it is aligned, so it can be read as it lies. `next_cycle_amount_left` is what a whole cycle still
   wants; a fill takes no more than remains. The two balances of a keeper are zero but while it has borrowed; then the
   second is one more than the balance was, so that it says so even if nothing was there. */
typedef struct {
  u64 discriminator;
  Key user, input_mint, output_mint;
  u64 idx;
  i64 next_cycle_at;
  u64 in_deposited, in_withdrawn, out_withdrawn, in_used, out_received, in_amount_per_cycle;
  i64 cycle_frequency;
  u64 next_cycle_amount_left;
  Key in_account, out_account;
  u64 min_out_amount, max_out_amount, keeper_in_balance_before_borrow, dca_out_balance_before_swap;
  i64 created_at;
  u8 bump;
} Dca;

enum { DCA_BYTES = 289 };
_Static_assert(__builtin_offsetof(Dca, bump) + 1 == DCA_BYTES, "as the published account");

#define STATE(index) ((Dca *)ACCOUNT(index)->data)

/* Where an instruction has those accounts that several of them have; -1 where it has none. */
typedef struct { int system, token, associated, event_authority; } Programs;

static u64 check_programs(const Programs *at) {
  if (at->system >= 0) TRY(check_program(at->system, &SYSTEM_PROGRAM));
  if (at->associated >= 0) TRY(check_program(at->associated, &ASSOCIATED_TOKEN_PROGRAM));
  TRY(check_program(at->token, &TOKEN_PROGRAM));
  return check_event_accounts(at->event_authority);
}

typedef struct { Seed seeds[6]; Signer signer; } Authority;

static void sign_as_dca(const Dca *state, Authority *authority) {
  Seed seeds[6] = {TEXT_SEED("dca"),          {&state->user, 32}, {&state->input_mint, 32},
                   {&state->output_mint, 32}, {&state->idx, 8},   {&state->bump, 1}};
  for (int i = 0; i < 6; i++) authority->seeds[i] = seeds[i];
  authority->signer.seeds = authority->seeds;
  authority->signer.count = 6;
}

static int is_borrowed(const Dca *state) {
  return state->keeper_in_balance_before_borrow || state->dca_out_balance_before_swap;
}

/* Whether this is an order. */
static u64 check_account(int dca, Authority *authority) {
  const Dca *state = STATE(dca);
  TRY(check_ours(dca));
  REQUIRE(length_of(ACCOUNT(dca)) == DCA_BYTES, AccountDidNotDeserialize);
  REQUIRE(state->discriminator == DCA_ACCOUNT, AccountDiscriminatorMismatch);
  sign_as_dca(state, authority);
  Key found;
  u64 underivable = sol_create_program_address(authority->seeds, 6, &THIS_PROGRAM, &found);
  REQUIRE(!underivable && is(dca, &found), ConstraintSeeds);
  return 0;
}

/* Whether this is an order of this user that no keeper has borrowed from. */
static u64 check_dca(int user, int dca, Authority *authority) {
  TRY(check_account(dca, authority));
  REQUIRE(is(user, &STATE(dca)->user), Unauthorized);
  REQUIRE(!is_borrowed(STATE(dca)), CannotBorrowBeforeRepay);
  return 0;
}

static int names_mint(int index, const Key *mint) {
  return is(index, mint) || (same(mint, &WRAPPED_SOL_MINT) && is(index, &SOL_BY_ANOTHER_NAME));
}

static u64 check_mints(int dca, int input_mint) {
  REQUIRE(names_mint(input_mint, &STATE(dca)->input_mint), ConstraintHasOne);
  REQUIRE(names_mint(input_mint + 1, &STATE(dca)->output_mint), ConstraintHasOne);
  return 0;
}

/* ---- open_dca and open_dca_v2: the same accounts, but the second has a payer of its own. ---- */

typedef struct {
  int dca, user, payer, input_mint, output_mint, user_ata, in_ata, out_ata, count;
  Programs programs;
} Opening;

static const Opening OPENING = {0, 1, 1, 2, 3, 4, 5, 6, 12, {7, 8, 9, 10}};
static const Opening OPENING_V2 = {0, 1, 2, 3, 4, 5, 6, 7, 13, {8, 9, 10, 11}};

typedef struct {
  u64 idx, in_amount, per_cycle;
  i64 frequency;
  Option min_out, max_out, start_at;
  int closes_wrapped_sol;
} Plan;

static u64 read_plan(Plan *plan, int is_v2) {
  Reader reader = ARGUMENTS;
  plan->idx = read_bytes(&reader, 8);
  plan->in_amount = read_bytes(&reader, 8);
  plan->per_cycle = read_bytes(&reader, 8);
  plan->frequency = (i64)read_bytes(&reader, 8);
  read_option(&reader, 8, &plan->min_out);
  read_option(&reader, 8, &plan->max_out);
  read_option(&reader, 8, &plan->start_at);
  plan->closes_wrapped_sol = !is_v2 && read_tag(&reader) && read_tag(&reader);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  return 0;
}

static u64 check_plan(const Plan *plan) {
  REQUIRE(plan->in_amount, InvalidAmount);
  REQUIRE(plan->per_cycle, InvalidCycleAmount);
  REQUIRE(plan->in_amount >= plan->per_cycle, InAmountInsufficient);
  REQUIRE(plan->frequency >= CYCLE_SECONDS_MIN, TooFrequent);
  /* Clients give 0 where they want no bound. */
  REQUIRE(!plan->max_out.value || plan->max_out.value >= plan->min_out.value, InvalidMaxPrice);
  return 0;
}

/* A beginning in the past, as clients give 0, is now. */
static u64 first_cycle(const Plan *plan, i64 instant, i64 *at) {
  i64 start = (i64)plan->start_at.value, second;
  *at = plan->start_at.given && start > instant ? start : instant;
  REQUIRE(!__builtin_add_overflow(*at, plan->frequency, &second), MathOverflow);
  return 0;
}

/* Makes the account, and the rest of the state that its address does not need. */
static u64 create_dca(const Opening *at, const Plan *plan) {
  const Key *user = ACCOUNT(at->user)->key, *input = ACCOUNT(at->input_mint)->key, *output = ACCOUNT(at->output_mint)->key;
  u8 bump;
  Seed seeds[6] = {TEXT_SEED("dca"), {user, 32}, {input, 32}, {output, 32}, {&plan->idx, 8}, {&bump, 1}};
  Key found;
  sol_try_find_program_address(seeds, 5, &THIS_PROGRAM, &found, &bump);
  REQUIRE(is(at->dca, &found), ConstraintSeeds);
  Signer signer = {seeds, 6};
  TRY(create_account(at->payer, at->dca, DCA_BYTES, &signer));

  Dca *state = STATE(at->dca);
  put_key((u8 *)&state->user, user);
  put_key((u8 *)&state->input_mint, input);
  put_key((u8 *)&state->output_mint, output);
  state->idx = plan->idx;
  state->bump = bump;
  return 0;
}

static void write_plan(const Opening *at, const Plan *plan, i64 instant, i64 first) {
  Dca *state = STATE(at->dca);
  state->discriminator = DCA_ACCOUNT;
  state->next_cycle_at = first;
  state->in_deposited = plan->in_amount;
  state->in_amount_per_cycle = plan->per_cycle;
  state->cycle_frequency = plan->frequency;
  state->next_cycle_amount_left = plan->per_cycle;
  put_key((u8 *)&state->in_account, ACCOUNT(at->in_ata)->key);
  put_key((u8 *)&state->out_account, ACCOUNT(at->out_ata)->key);
  state->min_out_amount = plan->min_out.value;
  state->max_out_amount = plan->max_out.value;
  state->created_at = instant;
}

static void create_atas(const Opening *at) {
  create_associated(&(Association){.payer = at->payer, .account = at->in_ata, .owner = at->dca, .mint = at->input_mint,
                                   .system = at->programs.system, .program = at->programs.token});
  create_associated(&(Association){.payer = at->payer, .account = at->out_ata, .owner = at->dca, .mint = at->output_mint,
                                   .system = at->programs.system, .program = at->programs.token});
}

/* What both events begin with. */
static u8 *put_terms(u8 *to, int dca) {
  const Dca *state = STATE(dca);
  to = put_key(put_key(to, &state->user), ACCOUNT(dca)->key);
  to = put_key(put_key(put64(to, state->in_deposited), &state->input_mint), &state->output_mint);
  return put64(put64(put64(to, (u64)state->cycle_frequency), state->in_amount_per_cycle), (u64)state->created_at);
}

static u64 open_dca(const Opening *at, int is_v2) {
  Plan plan;
  TRY(read_plan(&plan, is_v2));
  TRY(check_flags(at->count, BIT(at->user) | BIT(at->payer),
                  BIT(at->dca) | BIT(at->payer) | BIT(at->user_ata) | BIT(at->in_ata) | BIT(at->out_ata)));
  TRY(check_programs(&at->programs));
  TRY(check_plan(&plan));
  REQUIRE(!is(at->input_mint, ACCOUNT(at->output_mint)->key), InvalidPair);
  TRY(check_mint(at->input_mint, &TOKEN_PROGRAM));
  TRY(check_mint(at->output_mint, &TOKEN_PROGRAM));
  const Key *input = ACCOUNT(at->input_mint)->key;
  TRY(check_token_account(at->user_ata, &TOKEN_PROGRAM, input, ACCOUNT(at->user)->key));
  REQUIRE(balance_of(at->user_ata) >= plan.in_amount, UserInsufficientBalance);
  i64 instant = now(), first;
  TRY(first_cycle(&plan, instant, &first));

  TRY(create_dca(at, &plan));
  create_atas(at);
  transfer_tokens(&(Transfer){.from = at->user_ata, .mint = at->input_mint, .to = at->in_ata, .authority = at->user,
                              .program = at->programs.token}, plan.in_amount, 0);
  if (plan.closes_wrapped_sol && same(input, &WRAPPED_SOL_MINT))
    close_token_account(at->user_ata, at->user, at->user, at->programs.token, 0);
  write_plan(at, &plan, instant, first);
  emit(at->programs.event_authority, put_terms(event(OPENED_EVENT), at->dca));
  return 0;
}

/* ---- deposit ---- */

enum { D_USER, D_DCA, D_IN_ATA, D_USER_ATA, D_TOKEN, D_EVENT_AUTHORITY, D_PROGRAM, DEPOSIT_ACCOUNTS };

static u64 deposit(void) {
  Reader reader = ARGUMENTS;
  u64 amount = read_bytes(&reader, 8);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  TRY(check_flags(DEPOSIT_ACCOUNTS, BIT(D_USER), BIT(D_USER) | BIT(D_DCA) | BIT(D_IN_ATA) | BIT(D_USER_ATA)));
  TRY(check_programs(&(Programs){-1, D_TOKEN, -1, D_EVENT_AUTHORITY}));
  Authority authority;
  TRY(check_dca(D_USER, D_DCA, &authority));
  Dca *state = STATE(D_DCA);
  REQUIRE(is(D_IN_ATA, &state->in_account), ConstraintAssociated);
  REQUIRE(amount, InvalidDepositAmount);
  TRY(check_token_account(D_USER_ATA, &TOKEN_PROGRAM, &state->input_mint, &state->user));
  REQUIRE(balance_of(D_USER_ATA) >= amount, UserInsufficientBalance);
  u64 deposited;
  REQUIRE(!__builtin_add_overflow(state->in_deposited, amount, &deposited), MathOverflow);

  Meta metas[3] = {META(D_USER_ATA, 1, 0), META(D_IN_ATA, 1, 0), META(D_USER, 0, 1)};
  u8 transfer[9] = {3}; /* Transfer: without a mint among the accounts there is nothing to check it by */
  put64(transfer + 1, amount);
  call(&TOKEN_PROGRAM, metas, 3, transfer, sizeof(transfer), 0);
  state->in_deposited = deposited;
  emit(D_EVENT_AUTHORITY, put64(put_key(event(DEPOSIT_EVENT), ACCOUNT(D_DCA)->key), amount));
  return 0;
}

/* ---- withdraw and close_dca ---- */

static u64 input_left(const Dca *state) { return state->in_deposited - state->in_used - state->in_withdrawn; }

/* A user's account gets tokens of the order. One that is missing must be the associated one, and is made when there is
   something to put into it. */
typedef struct { int from, to, user, payer, dca, mint; Programs programs; } Payout;

static u64 check_payout(const Payout *payout, const Key *mint) {
  const Key *user = ACCOUNT(payout->user)->key;
  if (is_unused(payout->to)) return check_associated(payout->to, user, &TOKEN_PROGRAM, mint);
  return check_token_account(payout->to, &TOKEN_PROGRAM, mint, user);
}

static void make_missing(const Payout *payout) {
  if (is_unused(payout->to))
    create_associated(&(Association){.payer = payout->payer, .account = payout->to, .owner = payout->user,
                                     .mint = payout->mint, .system = payout->programs.system,
                                     .program = payout->programs.token});
}

static void pay(const Payout *payout, u64 amount, const Signer *signer) {
  make_missing(payout);
  transfer_tokens(&(Transfer){.from = payout->from, .mint = payout->mint, .to = payout->to, .authority = payout->dca,
                              .program = payout->programs.token}, amount, signer);
}

enum {
  W_USER, W_DCA, W_INPUT_MINT, W_OUTPUT_MINT, W_DCA_ATA, W_USER_IN_ATA, W_USER_OUT_ATA, W_SYSTEM, W_TOKEN, W_ASSOCIATED,
  W_EVENT_AUTHORITY, W_PROGRAM, WITHDRAW_ACCOUNTS
};
enum { WITHDRAW_IN = 0, WITHDRAW_OUT = 1 };

static const Programs WITHDRAW_PROGRAMS = {W_SYSTEM, W_TOKEN, W_ASSOCIATED, W_EVENT_AUTHORITY};

static u64 check_withdrawal(const Dca *state, u64 amount, u64 kind) {
  REQUIRE(amount, InvalidAmount);
  if (kind == WITHDRAW_IN) {
    REQUIRE(is(W_DCA_ATA, &state->in_account), ConstraintAssociated);
    REQUIRE(!is_left_out(W_USER_IN_ATA), NoUserInATA);
    REQUIRE(ACCOUNT(W_USER_IN_ATA)->is_writable, ConstraintMut);
    REQUIRE(is(W_INPUT_MINT, &state->input_mint), ConstraintHasOne);
    REQUIRE(amount <= input_left(state), InsufficientBalanceInProgram);
    return 0;
  }
  REQUIRE(is(W_DCA_ATA, &state->out_account), ConstraintAssociated);
  REQUIRE(!is_left_out(W_USER_OUT_ATA), NoUserOutATA);
  REQUIRE(ACCOUNT(W_USER_OUT_ATA)->is_writable, ConstraintMut);
  REQUIRE(is(W_OUTPUT_MINT, &state->output_mint), ConstraintHasOne);
  REQUIRE(amount <= state->out_received - state->out_withdrawn, InsufficientBalanceInProgram);
  return 0;
}

static u64 withdraw(void) {
  Reader reader = ARGUMENTS;
  u64 amount = read_bytes(&reader, 8), kind = read_bytes(&reader, 1);
  REQUIRE(!reader.broken && kind <= WITHDRAW_OUT, InstructionDidNotDeserialize);
  TRY(check_flags(WITHDRAW_ACCOUNTS, BIT(W_USER), BIT(W_USER) | BIT(W_DCA) | BIT(W_DCA_ATA)));
  TRY(check_programs(&WITHDRAW_PROGRAMS));
  Authority authority;
  TRY(check_dca(W_USER, W_DCA, &authority));
  TRY(check_mints(W_DCA, W_INPUT_MINT));
  Dca *state = STATE(W_DCA);
  TRY(check_withdrawal(state, amount, kind));

  Payout payout = {.from = W_DCA_ATA, .to = W_USER_IN_ATA, .user = W_USER, .payer = W_USER, .dca = W_DCA, .mint = W_INPUT_MINT,
                   .programs = WITHDRAW_PROGRAMS};
  if (kind == WITHDRAW_OUT) payout.to = W_USER_OUT_ATA, payout.mint = W_OUTPUT_MINT;
  TRY(check_payout(&payout, kind == WITHDRAW_IN ? &state->input_mint : &state->output_mint));
  pay(&payout, amount, &authority.signer);
  if (kind == WITHDRAW_IN) state->in_withdrawn += amount;
  else state->out_withdrawn += amount;
  u8 *to = put_key(event(WITHDRAW_EVENT), ACCOUNT(W_DCA)->key);
  to = put64(put64(to, kind == WITHDRAW_IN ? amount : 0), kind == WITHDRAW_OUT ? amount : 0);
  emit(W_EVENT_AUTHORITY, put_number(to, 1, 1)); /* by the user */
  return 0;
}

enum {
  C_USER, C_DCA, C_INPUT_MINT, C_OUTPUT_MINT, C_IN_ATA, C_OUT_ATA, C_USER_IN_ATA, C_USER_OUT_ATA, C_SYSTEM, C_TOKEN,
  C_ASSOCIATED, C_EVENT_AUTHORITY, C_PROGRAM, CLOSE_ACCOUNTS
};

static const Programs CLOSE_PROGRAMS = {C_SYSTEM, C_TOKEN, C_ASSOCIATED, C_EVENT_AUTHORITY};

/* Empties a token account of the order and closes it. Wrapped SOL comes as lamports: the account is closed as it is. But
   the published clients close the user's account for wrapped SOL in the next instruction, and it must be there for them. */
static u64 settle(const Payout *payout, const Key *mint, const Signer *signer) {
  TRY(check_payout(payout, mint));
  u64 amount = balance_of(payout->from);
  if (!same(mint, &WRAPPED_SOL_MINT)) {
    if (amount) pay(payout, amount, signer);
  } else if (is(payout->mint, mint)) {
    make_missing(payout);
  }
  close_token_account(payout->from, payout->user, payout->dca, payout->programs.token, signer);
  return 0;
}

static u8 *put_totals(u8 *to, const Dca *state, int by_user) {
  to = put64(put64(to, state->in_withdrawn + input_left(state)), state->out_received);
  return put_number(put64(to, input_left(state)), (u64)by_user, 1);
}

static u64 close_dca(void) {
  TRY(check_flags(CLOSE_ACCOUNTS, BIT(C_USER),
                  BIT(C_USER) | BIT(C_DCA) | BIT(C_IN_ATA) | BIT(C_OUT_ATA) | BIT(C_USER_IN_ATA) | BIT(C_USER_OUT_ATA)));
  TRY(check_programs(&CLOSE_PROGRAMS));
  Authority authority;
  TRY(check_dca(C_USER, C_DCA, &authority));
  TRY(check_mints(C_DCA, C_INPUT_MINT));
  const Dca *state = STATE(C_DCA);
  REQUIRE(is(C_IN_ATA, &state->in_account), ConstraintAssociated);
  REQUIRE(is(C_OUT_ATA, &state->out_account), ConstraintAssociated);

  Payout input = {.from = C_IN_ATA, .to = C_USER_IN_ATA, .user = C_USER, .payer = C_USER, .dca = C_DCA,
                  .mint = C_INPUT_MINT, .programs = CLOSE_PROGRAMS};
  TRY(settle(&input, &state->input_mint, &authority.signer));
  Payout output = {.from = C_OUT_ATA, .to = C_USER_OUT_ATA, .user = C_USER, .payer = C_USER, .dca = C_DCA,
                   .mint = C_OUTPUT_MINT, .programs = CLOSE_PROGRAMS};
  TRY(settle(&output, &state->output_mint, &authority.signer));
  emit(C_EVENT_AUTHORITY, put_totals(put_terms(event(CLOSED_EVENT), C_DCA), state, 1));
  destroy_account(C_DCA, C_USER);
  return 0;
}

/* ---- What keepers do. ---- */

/* The input of the cycle that is due. What integer division left over when the order was cut into cycles, less than one
   unit for each of them, goes with the last one. */
static u64 cycle_amount(const Dca *state) {
  u64 left = input_left(state), amount = state->next_cycle_amount_left;
  if (left <= amount) return left;
  u64 rest = left - amount, cycles = state->in_deposited / state->in_amount_per_cycle;
  return rest < amount && rest < cycles ? left : amount;
}

enum {
  B_KEEPER, B_DCA, B_INPUT_MINT, B_KEEPER_IN_ATA, B_IN_ATA, B_OUT_ATA, B_SYSVAR, B_SYSTEM, B_TOKEN, B_ASSOCIATED,
  INITIATE_ACCOUNTS, B_KEEPERS = INITIATE_ACCOUNTS
};

enum {
  F_KEEPER, F_DCA, F_INPUT_MINT, F_OUTPUT_MINT, F_KEEPER_IN_ATA, F_IN_ATA, F_OUT_ATA, F_FEE_AUTHORITY, F_FEE_ATA,
  F_SYSVAR, F_SYSTEM, F_TOKEN, F_ASSOCIATED, F_EVENT_AUTHORITY, F_PROGRAM, FULFILL_ACCOUNTS,
  F_KEEPERS = FULFILL_ACCOUNTS
};

/* The keeper's account must be the associated one: so it is the same in both instructions. */
static u64 check_keepers_account(int account, int keeper, const Key *mint) {
  TRY(check_token_account(account, &TOKEN_PROGRAM, mint, ACCOUNT(keeper)->key));
  return check_associated(account, ACCOUNT(keeper)->key, &TOKEN_PROGRAM, mint);
}

static u64 check_borrowing(void) {
  const Dca *state = STATE(B_DCA);
  REQUIRE(is(B_INPUT_MINT, &state->input_mint), ConstraintHasOne);
  REQUIRE(is(B_IN_ATA, &state->in_account), ConstraintAssociated);
  REQUIRE(is(B_OUT_ATA, &state->out_account), ConstraintAssociated);
  TRY(check_keepers_account(B_KEEPER_IN_ATA, B_KEEPER, &state->input_mint));
  REQUIRE(!is_borrowed(state), CannotBorrowBeforeRepay);
  REQUIRE(now() >= state->next_cycle_at, KeeperNotTimeToFill);
  REQUIRE(cycle_amount(state), InsufficientBalanceInProgram);
  REQUIRE(balance_of(B_OUT_ATA) != U64_MAX, MathOverflow);
  return 0;
}

/* The keeper gets the input of a cycle. The transaction must have, later and at its top, one instruction of ours by
   which this keeper brings the output for this order. */
static u64 initiate_flash_fill(void) {
  TRY(check_flags(INITIATE_ACCOUNTS, BIT(B_KEEPER), BIT(B_KEEPER) | BIT(B_DCA) | BIT(B_KEEPER_IN_ATA) | BIT(B_IN_ATA)));
  REQUIRE(is(B_SYSVAR, &INSTRUCTIONS_SYSVAR), ConstraintAddress);
  TRY(check_program(B_SYSTEM, &SYSTEM_PROGRAM));
  TRY(check_program(B_TOKEN, &TOKEN_PROGRAM));
  TRY(check_program(B_ASSOCIATED, &ASSOCIATED_TOKEN_PROGRAM));
  REQUIRE(sol_get_stack_height() == 1, ProgramMismatch);
  Authority authority;
  REQUIRE(is_keeper(B_KEEPER, B_KEEPERS), UnauthorizedKeeper);
  TRY(check_account(B_DCA, &authority));
  TRY(check_borrowing());
  Expected repayment = {FULFILL_FLASH_FILL, {F_KEEPER, F_DCA}, {ACCOUNT(B_KEEPER)->key, ACCOUNT(B_DCA)->key}};
  REQUIRE(count_expected(B_SYSVAR, &repayment) == 1, MissingRepayInstructions);

  Dca *state = STATE(B_DCA);
  state->keeper_in_balance_before_borrow = balance_of(B_KEEPER_IN_ATA);
  state->dca_out_balance_before_swap = balance_of(B_OUT_ATA) + 1;
  transfer_tokens(&(Transfer){.from = B_IN_ATA, .mint = B_INPUT_MINT, .to = B_KEEPER_IN_ATA, .authority = B_DCA,
                              .program = B_TOKEN}, cycle_amount(state), &authority.signer);
  return 0;
}

static u64 check_fulfilment(void) {
  const Dca *state = STATE(F_DCA);
  REQUIRE(is_borrowed(state), MissedInstruction);
  REQUIRE(is(F_INPUT_MINT, &state->input_mint), ConstraintHasOne);
  REQUIRE(is(F_OUTPUT_MINT, &state->output_mint), ConstraintHasOne);
  TRY(check_keepers_account(F_KEEPER_IN_ATA, F_KEEPER, &state->input_mint));
  REQUIRE(is(F_IN_ATA, &state->in_account), ConstraintAssociated);
  REQUIRE(is(F_OUT_ATA, &state->out_account), ConstraintAssociated);
  REQUIRE(ACCOUNT(F_OUT_ATA)->is_writable, ConstraintMut); /* by another instruction, if not by this */
  REQUIRE(is(F_FEE_AUTHORITY, &FEE_AUTHORITY), ConstraintSeeds);
  return check_associated(F_FEE_ATA, &FEE_AUTHORITY, &TOKEN_PROGRAM, &state->output_mint);
}

/* The user's bounds are for a whole cycle, and the last one may be of another size. Both are rounded up: so there is
   always an amount between them. */
static u64 check_bounds(const Dca *state, u64 used, u64 received) {
  u64 whole = state->in_amount_per_cycle, least = multiply_divide(state->min_out_amount, used, whole, ROUND_UP);
  REQUIRE(received >= least, SwapOutLessThanUserMinimum);
  u64 most = multiply_divide(state->max_out_amount, used, whole, ROUND_UP);
  REQUIRE(!state->max_out_amount || received <= most, SwapOutMoreThanUserMaximum);
  return 0;
}

/* The first instant of the order's own rhythm that is still to come: what was missed is not made up for. */
static u64 schedule_next(Dca *state) {
  u64 late = (u64)(now() - state->next_cycle_at), frequency = (u64)state->cycle_frequency;
  i64 next;
  u64 steps = (late / frequency + 1) * frequency;
  REQUIRE(!__builtin_add_overflow(state->next_cycle_at, (i64)steps, &next) && next > 0, MathOverflow);
  state->next_cycle_at = next;
  return 0;
}

static void collect_fee(u64 fee, const Signer *signer) {
  if (is_unused(F_FEE_ATA))
    create_associated(&(Association){.payer = F_KEEPER, .account = F_FEE_ATA, .owner = F_FEE_AUTHORITY,
                                     .mint = F_OUTPUT_MINT, .system = F_SYSTEM, .program = F_TOKEN});
  transfer_tokens(&(Transfer){.from = F_OUT_ATA, .mint = F_OUTPUT_MINT, .to = F_FEE_ATA, .authority = F_DCA,
                              .program = F_TOKEN}, fee, signer);
}

static void tell_fill(const Dca *state, u64 used, u64 received, u64 fee) {
  u8 *to = put_key(put_key(event(FILLED_EVENT), &state->user), ACCOUNT(F_DCA)->key);
  to = put64(put64(put_key(put_key(to, &state->input_mint), &state->output_mint), used), received);
  emit(F_EVENT_AUTHORITY, put64(put_key(to, &state->output_mint), fee));
  to = put_key(put_key(event(COLLECTED_FEE_EVENT), &state->user), ACCOUNT(F_DCA)->key);
  emit(F_EVENT_AUTHORITY, put64(put_key(to, &state->output_mint), fee));
}

/* What came into the order's account since the borrow is what the keeper says that it brought; the keeper has no less of
   the input than before it borrowed. */
static u64 check_repaid(const Dca *state, u64 repaid) {
  REQUIRE(repaid, SwapOutAmountBelowMinimum);
  u64 before = state->dca_out_balance_before_swap - 1, after = balance_of(F_OUT_ATA);
  REQUIRE(after >= before && after - before == repaid, IncorrectRepaymentAmount);
  REQUIRE(balance_of(F_KEEPER_IN_ATA) >= state->keeper_in_balance_before_borrow, KeeperShortchanged);
  return 0;
}

static u64 fulfill_flash_fill(void) {
  Reader reader = ARGUMENTS;
  u64 repaid = read_bytes(&reader, 8);
  REQUIRE(!reader.broken, InstructionDidNotDeserialize);
  TRY(check_flags(FULFILL_ACCOUNTS, BIT(F_KEEPER), BIT(F_KEEPER) | BIT(F_DCA) | BIT(F_FEE_ATA)));
  REQUIRE(is(F_SYSVAR, &INSTRUCTIONS_SYSVAR), ConstraintAddress);
  TRY(check_programs(&(Programs){F_SYSTEM, F_TOKEN, F_ASSOCIATED, F_EVENT_AUTHORITY}));
  Authority authority;
  REQUIRE(is_keeper(F_KEEPER, F_KEEPERS), UnauthorizedKeeper);
  TRY(check_account(F_DCA, &authority));
  TRY(check_fulfilment());
  Dca *state = STATE(F_DCA);
  TRY(check_repaid(state, repaid));
  u64 used = cycle_amount(state), fee = multiply_divide(repaid, FEE_BPS, BPS_ONE, ROUND_DOWN), received;
  TRY(check_bounds(state, used, repaid - fee));
  REQUIRE(!__builtin_add_overflow(state->out_received, repaid - fee, &received), MathOverflow);
  TRY(schedule_next(state));

  collect_fee(fee, &authority.signer);
  state->in_used += used;
  state->out_received = received;
  state->next_cycle_amount_left = state->in_amount_per_cycle;
  state->keeper_in_balance_before_borrow = state->dca_out_balance_before_swap = 0;
  tell_fill(state, used, repaid - fee, fee);
  return 0;
}

/* ---- transfer: the output that waits in the order goes to the user. ---- */

enum {
  T_KEEPER, T_DCA, T_USER, T_OUTPUT_MINT, T_OUT_ATA, T_USER_OUT_ATA, T_INTERMEDIATE, T_SYSTEM, T_TOKEN, T_ASSOCIATED,
  T_EVENT_AUTHORITY, T_PROGRAM, TRANSFER_ACCOUNTS, T_KEEPERS = TRANSFER_ACCOUNTS
};

static const Programs TRANSFER_PROGRAMS = {T_SYSTEM, T_TOKEN, T_ASSOCIATED, T_EVENT_AUTHORITY};

/* Wrapped SOL becomes lamports only when its account is closed, and the order still needs its own. So it goes through an
   account that lives as long as this instruction: ["intermediate", dca]. The keeper lends the rent. */
typedef struct { u64 lent, came; } Unwrapped;

static u64 unwrap(u64 amount, const Signer *signer, Unwrapped *unwrapped) {
  const Key *dca = ACCOUNT(T_DCA)->key;
  u8 bump;
  Seed seeds[3] = {TEXT_SEED("intermediate"), {dca, 32}, {&bump, 1}};
  Key found;
  sol_try_find_program_address(seeds, 2, &THIS_PROGRAM, &found, &bump);
  REQUIRE(is(T_INTERMEDIATE, &found), ConstraintSeeds);
  REQUIRE(ACCOUNT(T_INTERMEDIATE)->is_writable, ConstraintMut);
  u64 keeper_had = *ACCOUNT(T_KEEPER)->lamports, order_had = *ACCOUNT(T_DCA)->lamports;
  TRY(create_account_of(&(Creation){T_KEEPER, T_INTERMEDIATE, TOKEN_ACCOUNT_BYTES, &TOKEN_PROGRAM},
                        &(Signer){seeds, 3}));
  unwrapped->lent = keeper_had - *ACCOUNT(T_KEEPER)->lamports;
  Meta metas[2] = {META(T_INTERMEDIATE, 1, 0), META(T_OUTPUT_MINT, 0, 0)};
  u8 initialize[33] = {18}; /* InitializeAccount3 */
  put_key(initialize + 1, dca);
  call(&TOKEN_PROGRAM, metas, 2, initialize, sizeof(initialize), 0);
  transfer_tokens(&(Transfer){.from = T_OUT_ATA, .mint = T_OUTPUT_MINT, .to = T_INTERMEDIATE, .authority = T_DCA,
                              .program = T_TOKEN}, amount, signer);
  close_token_account(T_INTERMEDIATE, T_DCA, T_DCA, T_TOKEN, signer);
  unwrapped->came = *ACCOUNT(T_DCA)->lamports - order_had;
  return 0;
}

static u64 transfer(void) {
  TRY(check_flags(TRANSFER_ACCOUNTS, BIT(T_KEEPER), BIT(T_KEEPER) | BIT(T_DCA) | BIT(T_USER) | BIT(T_OUT_ATA)));
  TRY(check_programs(&TRANSFER_PROGRAMS));
  Authority authority;
  REQUIRE(is_keeper(T_KEEPER, T_KEEPERS), UnauthorizedKeeper);
  TRY(check_dca(T_USER, T_DCA, &authority));
  Dca *state = STATE(T_DCA);
  REQUIRE(is(T_OUTPUT_MINT, &state->output_mint), ConstraintHasOne);
  REQUIRE(is(T_OUT_ATA, &state->out_account), ConstraintAssociated);
  u64 amount = state->out_received - state->out_withdrawn;
  REQUIRE(amount, WrongTransferAmount);
  Unwrapped unwrapped = {0, 0};
  if (!is_left_out(T_USER_OUT_ATA)) {
    const Key *user = ACCOUNT(T_USER)->key;
    REQUIRE(ACCOUNT(T_USER_OUT_ATA)->is_writable, ConstraintMut);
    TRY(check_token_account(T_USER_OUT_ATA, &TOKEN_PROGRAM, &state->output_mint, user));
    TRY(check_associated(T_USER_OUT_ATA, user, &TOKEN_PROGRAM, &state->output_mint));
    transfer_tokens(&(Transfer){.from = T_OUT_ATA, .mint = T_OUTPUT_MINT, .to = T_USER_OUT_ATA, .authority = T_DCA,
                                .program = T_TOKEN}, amount, &authority.signer);
  } else {
    REQUIRE(same(&state->output_mint, &WRAPPED_SOL_MINT), NoUserOutATA);
    REQUIRE(!is_left_out(T_INTERMEDIATE), IntermediateAccountNotSet);
    TRY(unwrap(amount, &authority.signer, &unwrapped));
  }
  state->out_withdrawn += amount;
  u8 *to = put64(put64(put_key(event(WITHDRAW_EVENT), ACCOUNT(T_DCA)->key), 0), amount);
  emit(T_EVENT_AUTHORITY, put_number(to, 0, 1)); /* by a keeper */
  give_lamports(T_DCA, T_KEEPER, unwrapped.lent);
  give_lamports(T_DCA, T_USER, unwrapped.came - unwrapped.lent);
  return 0;
}

/* ---- end_and_close: an order that has sold everything. ---- */

enum {
  E_KEEPER, E_DCA, E_INPUT_MINT, E_OUTPUT_MINT, E_IN_ATA, E_OUT_ATA, E_USER, E_USER_OUT_ATA, E_INIT_USER_OUT_ATA,
  E_INTERMEDIATE, E_SYSTEM, E_TOKEN, E_ASSOCIATED, E_EVENT_AUTHORITY, E_PROGRAM, END_ACCOUNTS,
  E_KEEPERS = END_ACCOUNTS, E_USER_IN_ATA
};

static const Programs END_PROGRAMS = {E_SYSTEM, E_TOKEN, E_ASSOCIATED, E_EVENT_AUTHORITY};

/* Empties and closes one of the order's accounts. Wrapped SOL comes as lamports, and all lamports by way of the order. The
   user's account may be missing: the keeper makes it then. A stranger may not choose among the user's accounts. */
static u64 end_side(const Payout *payout, const Key *mint, const Signer *signer) {
  u64 amount = balance_of(payout->from);
  if (amount && !same(mint, &WRAPPED_SOL_MINT)) {
    REQUIRE(ACCOUNT(payout->to)->is_writable, ConstraintMut);
    TRY(check_payout(payout, mint));
    TRY(check_associated(payout->to, ACCOUNT(payout->user)->key, &TOKEN_PROGRAM, mint));
    pay(payout, amount, signer);
  }
  close_token_account(payout->from, payout->dca, payout->dca, payout->programs.token, signer);
  return 0;
}

static u64 check_end(void) {
  const Dca *state = STATE(E_DCA);
  REQUIRE(is(E_INPUT_MINT, &state->input_mint), ConstraintHasOne);
  REQUIRE(is(E_OUTPUT_MINT, &state->output_mint), ConstraintHasOne);
  REQUIRE(is(E_IN_ATA, &state->in_account), ConstraintAssociated);
  REQUIRE(is(E_OUT_ATA, &state->out_account), ConstraintAssociated);
  REQUIRE(!input_left(state), BalanceNotZero);
  /* Input that a stranger sent goes to the user, to an account that must then be named after the keepers. */
  int has_place = IN->count > E_USER_IN_ATA && !is_left_out(E_USER_IN_ATA);
  REQUIRE(has_place || !balance_of(E_IN_ATA) || same(&state->input_mint, &WRAPPED_SOL_MINT), BalanceNotZero);
  int is_native = same(&state->output_mint, &WRAPPED_SOL_MINT), is_named = !is_left_out(E_USER_OUT_ATA);
  REQUIRE(is_named || !is_left_out(E_INIT_USER_OUT_ATA) || !balance_of(E_OUT_ATA) || is_native, NoUserOutATA);
  return 0;
}

static u64 end_and_close(void) {
  TRY(check_flags(END_ACCOUNTS, BIT(E_KEEPER),
                  BIT(E_KEEPER) | BIT(E_DCA) | BIT(E_IN_ATA) | BIT(E_OUT_ATA) | BIT(E_USER)));
  TRY(check_programs(&END_PROGRAMS));
  Authority authority;
  REQUIRE(is_keeper(E_KEEPER, E_KEEPERS), UnauthorizedKeeper);
  TRY(check_dca(E_USER, E_DCA, &authority));
  TRY(check_end());
  const Dca *state = STATE(E_DCA);
  u64 keeper_had = *ACCOUNT(E_KEEPER)->lamports;
  Payout payout = {.from = E_IN_ATA, .to = E_USER_IN_ATA, .user = E_USER, .payer = E_KEEPER, .dca = E_DCA,
                   .mint = E_INPUT_MINT, .programs = END_PROGRAMS};
  TRY(end_side(&payout, &state->input_mint, &authority.signer));
  payout.from = E_OUT_ATA, payout.mint = E_OUTPUT_MINT;
  payout.to = is_left_out(E_USER_OUT_ATA) ? E_INIT_USER_OUT_ATA : E_USER_OUT_ATA;
  TRY(end_side(&payout, &state->output_mint, &authority.signer));
  u64 lent = keeper_had - *ACCOUNT(E_KEEPER)->lamports;
  emit(E_EVENT_AUTHORITY, put_totals(put_terms(event(CLOSED_EVENT), E_DCA), state, 0));
  give_lamports(E_DCA, E_KEEPER, lent);
  destroy_account(E_DCA, E_USER);
  return 0;
}

u64 entrypoint(u8 *block) {
  TRY(receive(block));
  REQUIRE(IN->length >= 8, InstructionMissing);
  switch (load64(IN->data)) {
    case OPEN_DCA: LOG("Instruction: OpenDca"); return open_dca(&OPENING, 0);
    case OPEN_DCA_V2: LOG("Instruction: OpenDcaV2"); return open_dca(&OPENING_V2, 1);
    case DEPOSIT: LOG("Instruction: Deposit"); return deposit();
    case WITHDRAW: LOG("Instruction: Withdraw"); return withdraw();
    case CLOSE_DCA: LOG("Instruction: CloseDca"); return close_dca();
    case INITIATE_FLASH_FILL: LOG("Instruction: InitiateFlashFill"); return initiate_flash_fill();
    case FULFILL_FLASH_FILL: LOG("Instruction: FulfillFlashFill"); return fulfill_flash_fill();
    case TRANSFER: LOG("Instruction: Transfer"); return transfer();
    case END_AND_CLOSE: LOG("Instruction: EndAndClose"); return end_and_close();
    case EVENT_TAG: return receive_event();
  }
  REQUIRE(0, InstructionFallbackNotFound);
  return 0;
}
