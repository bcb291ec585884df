/* Recurring orders (dollar-cost averaging): an account for each, and two token accounts of that account, which escrow the
   input and collect the output.

   Only the user deposits, withdraws and closes, and gets everything that is there. Only mints of the first token program
   are taken: an amount that arrives is then the amount that was sent. */
#include "solana.h"

/* DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M, and its key for ["__event_authority"] */
static const Key THIS_PROGRAM = {{181, 39, 212, 93, 100, 14, 62, 193, 95, 97, 93, 91, 14, 35, 165, 74,
                                  150, 184, 63, 11, 130, 11, 247, 6, 53, 242, 67, 74, 198, 64, 204, 4}};
static const Key EVENT_AUTHORITY = {{176, 117, 168, 6, 99, 121, 202, 111, 227, 112, 55, 255, 12, 40, 213, 84,
                                     166, 228, 214, 54, 217, 232, 81, 140, 254, 110, 186, 233, 63, 82, 54, 254}};
static const u8 EVENT_AUTHORITY_BUMP = 254;

/* So11111111111111111111111111111111111111111: how clients also name SOL where wrapped SOL is meant. */
static const Key SOL_BY_ANOTHER_NAME = {{6, 155, 136, 87, 254, 171, 129, 132, 251, 104, 127, 99, 70, 24, 192, 53,
                                         218, 196, 57, 220, 26, 235, 59, 85, 152, 160, 240, 0, 0, 0, 0, 0}};

#define OPEN_DCA 0xa364d20136b94124ULL
#define OPEN_DCA_V2 0xb10b34a26d2b778eULL
#define CLOSE_DCA 0xf322b7a862210716ULL
#define DEPOSIT 0xb6f2e15289c623f2ULL
#define WITHDRAW 0x22a16d949c4612b7ULL
#define DCA_ACCOUNT 0x9a9165287f5a5d52ULL
#define OPENED_EVENT 0x6dbd4c4d0961aca6ULL
#define CLOSED_EVENT 0xefc3dc879b571f32ULL
#define DEPOSIT_EVENT 0x3488a9f4aff2cd3eULL
#define WITHDRAW_EVENT 0xf75a9646d9c9f1c0ULL

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
#define MathOverflow 6022
#define CannotBorrowBeforeRepay 6026

enum { CYCLE_SECONDS_MIN = 30 };

/* The account. All of it is aligned, so it can be read as it lies. `next_cycle_amount_left` is what a whole cycle still
   wants; a fill takes no more than remains. The two balances of a keeper are zero but while it has borrowed. */
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

/* Whether this is an order of this user that no keeper has borrowed from. */
static u64 check_dca(int user, int dca, Authority *authority) {
  const Dca *state = STATE(dca);
  TRY(check_ours(dca));
  REQUIRE(length_of(ACCOUNT(dca)) == DCA_BYTES, AccountDidNotDeserialize);
  REQUIRE(state->discriminator == DCA_ACCOUNT, AccountDiscriminatorMismatch);
  REQUIRE(is(user, &state->user), Unauthorized);
  REQUIRE(!state->keeper_in_balance_before_borrow && !state->dca_out_balance_before_swap, CannotBorrowBeforeRepay);
  sign_as_dca(state, authority);
  Key found;
  u64 underivable = sol_create_program_address(authority->seeds, 6, &THIS_PROGRAM, &found);
  REQUIRE(!underivable && is(dca, &found), ConstraintSeeds);
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
typedef struct { int from, to, user, dca, mint; Programs programs; } Payout;

static u64 check_payout(const Payout *payout, const Key *mint) {
  const Key *user = ACCOUNT(payout->user)->key;
  if (is_unused(payout->to)) return check_associated(payout->to, user, &TOKEN_PROGRAM, mint);
  return check_token_account(payout->to, &TOKEN_PROGRAM, mint, user);
}

static void make_missing(const Payout *payout) {
  if (is_unused(payout->to))
    create_associated(&(Association){.payer = payout->user, .account = payout->to, .owner = payout->user,
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

  Payout payout = {.from = W_DCA_ATA, .to = W_USER_IN_ATA, .user = W_USER, .dca = W_DCA, .mint = W_INPUT_MINT,
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

static u8 *put_totals(u8 *to, const Dca *state) {
  to = put64(put64(to, state->in_withdrawn + input_left(state)), state->out_received);
  return put_number(put64(to, input_left(state)), 1, 1); /* closed by the user */
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

  Payout input = {.from = C_IN_ATA, .to = C_USER_IN_ATA, .user = C_USER, .dca = C_DCA, .mint = C_INPUT_MINT,
                  .programs = CLOSE_PROGRAMS};
  TRY(settle(&input, &state->input_mint, &authority.signer));
  Payout output = {.from = C_OUT_ATA, .to = C_USER_OUT_ATA, .user = C_USER, .dca = C_DCA, .mint = C_OUTPUT_MINT,
                   .programs = CLOSE_PROGRAMS};
  TRY(settle(&output, &state->output_mint, &authority.signer));
  emit(C_EVENT_AUTHORITY, put_totals(put_terms(event(CLOSED_EVENT), C_DCA), state));
  destroy_account(C_DCA, C_USER);
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
    case EVENT_TAG: return receive_event();
  }
  REQUIRE(0, InstructionFallbackNotFound);
  return 0;
}
