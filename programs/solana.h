/* What the programs share: the accounts of an instruction, the system calls, and every check and action that several need.

   An instruction comes as one block of bytes: all accounts, the data, the program's own address. `receive` reads it into
   `IN`, which lies on the heap: a frame of the stack has 4 KiB only. Nothing here has static data that can change.

   A function that can refuse returns a code: 0 is success, 1..2^32-1 a custom error, which the runtime reports. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

typedef struct { u8 bytes[32]; } __attribute__((aligned(8))) Key;

/* The layouts of these eight are the runtime's. `length` is the length at the beginning; `length_of` tells it now. */
typedef struct {
  Key *key;
  u64 *lamports;
  u64 length;
  u8 *data;
  Key *owner;
  u64 rent_epoch;
  u8 is_signer, is_writable, executable;
} Account;
typedef struct { const Key *key; u8 is_writable, is_signer; } Meta;
typedef struct { const Key *program; const Meta *accounts; u64 account_count; const u8 *data; u64 length; } Instruction;
typedef struct { const void *bytes; u64 length; } Seed;
typedef struct { const Seed *seeds; u64 count; } Signer;
typedef struct { u64 slot; i64 epoch_start; u64 epoch, leader_epoch; i64 now; } Clock;
typedef struct { u64 lamports_per_byte, threshold_bits; u8 burn_percent; } Rent;

extern u64 sol_log_(const char *text, u64 length);
extern u64 sol_memcpy_(void *to, const void *from, u64 length);
extern u64 sol_memset_(void *to, u8 value, u64 length);
extern u64 sol_invoke_signed_c(const Instruction *, const Account *, int count, const Signer *, int signer_count);
extern u64 sol_create_program_address(const Seed *, int count, const Key *program, Key *found);
extern u64 sol_try_find_program_address(const Seed *, int count, const Key *program, Key *found, u8 *bump);
extern u64 sol_get_clock_sysvar(Clock *);
extern u64 sol_get_rent_sysvar(Rent *);
extern u64 sol_get_stack_height(void);

/* ---- Refusals: the numbers of Anchor's framework, as clients of the published programs know them. ---- */

#define InstructionMissing 100
#define InstructionFallbackNotFound 101
#define InstructionDidNotDeserialize 102
#define ConstraintMut 2000
#define ConstraintHasOne 2001
#define ConstraintSeeds 2006
#define ConstraintAssociated 2009
#define ConstraintAddress 2012
#define ConstraintTokenMint 2014
#define ConstraintTokenOwner 2015
#define AccountDiscriminatorMismatch 3002
#define AccountDidNotDeserialize 3003
#define AccountNotEnoughKeys 3005
#define AccountOwnedByWrongProgram 3007
#define InvalidProgramId 3008
#define AccountNotSigner 3010
#define AccountNotInitialized 3012
#define DeclaredProgramIdMismatch 4100

#define ACCOUNT_ALREADY_IN_USE (1ULL << 32) /* the system program's custom error 0 */

#define LOG(text) sol_log_(text, sizeof(text) - 1)
#define TEXT_SEED(text) {text, sizeof(text) - 1}
#define STRING_(token) #token
#define STRING(token) STRING_(token)

/* Refuses unless `condition` holds, with a log line in the form that clients of Anchor programs parse. */
#define REQUIRE(condition, error)                                                                                   \
  do {                                                                                                              \
    if (!(condition)) {                                                                                             \
      LOG("AnchorError occurred. Error Code: " #error ". Error Number: " STRING(error) ". Error Message: " #error "."); \
      return error;                                                                                                 \
    }                                                                                                               \
  } while (0)

#define TRY(call)                    \
  do {                               \
    u64 refusal_ = (call);           \
    if (refusal_) return refusal_;   \
  } while (0)

/* ---- Addresses that everybody knows. ---- */

static const Key SYSTEM_PROGRAM = {{0}};
static const Key TOKEN_PROGRAM = {{6, 221, 246, 225, 215, 101, 161, 147, 217, 203, 225, 70, 206, 235, 121, 172,
                                   28, 180, 133, 237, 95, 91, 55, 145, 58, 140, 245, 133, 126, 255, 0, 169}};
static const Key TOKEN_2022_PROGRAM = {{6, 221, 246, 225, 238, 117, 143, 222, 24, 66, 93, 188, 228, 108, 205, 218,
                                        182, 26, 252, 77, 131, 185, 13, 39, 254, 189, 249, 40, 216, 161, 139, 252}};
static const Key ASSOCIATED_TOKEN_PROGRAM = {{140, 151, 37, 143, 78, 36, 137, 241, 187, 61, 16, 41, 20, 142, 13, 131,
                                              11, 90, 19, 153, 218, 255, 16, 132, 4, 142, 123, 216, 219, 233, 248, 89}};
static const Key WRAPPED_SOL_MINT = {{6, 155, 136, 87, 254, 171, 129, 132, 251, 104, 127, 99, 70, 24, 192, 53,
                                      218, 196, 57, 220, 26, 235, 59, 85, 152, 160, 240, 0, 0, 0, 0, 1}};

static const Key INSTRUCTIONS_SYSVAR = {{6, 167, 213, 23, 24, 123, 209, 102, 53, 218, 212, 4, 85, 253, 194, 192,
                                         193, 36, 198, 143, 33, 86, 117, 165, 219, 186, 203, 95, 8, 0, 0, 0}};

/* Each program declares its own; the tests derive them again. */
static const Key THIS_PROGRAM;
static const Key KEEPERS;
static const Key EVENT_AUTHORITY;
static const u8 EVENT_AUTHORITY_BUMP;

/* ---- The instruction. ---- */

enum { ACCOUNTS_MAX = 20, DATA_GROWTH_MAX = 10240, SCRATCH_MAX = 512 };

typedef struct {
  Account accounts[ACCOUNTS_MAX];
  u64 count; /* of all accounts, also those that are not kept */
  const u8 *data;
  u64 length;
  u8 scratch[SCRATCH_MAX];
} Input;

/* Called, not repeated: these are needed so often that they decide the size of a program. */
#define SHARED __attribute__((noinline)) static

#define IN ((Input *)0x300000000ULL)
#define ACCOUNT(index) (&IN->accounts[index])

SHARED u64 load64(const u8 *at) {
  u64 value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
  return value;
}

static u64 load16(const u8 *at) { return at[0] | (u64)at[1] << 8; }

/* Keys in the block and in its account data are aligned to eight bytes. */
SHARED int same(const Key *a, const Key *b) {
  const u64 *x = (const u64 *)a, *y = (const u64 *)b;
  return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/* A repeated account has one byte that names the first, and shares its data; more than `ACCOUNTS_MAX` are skipped. */
static u64 receive(u8 *block) {
  IN->count = *(u64 *)block;
  block += 8;
  for (u64 i = 0; i < IN->count; i++) {
    u8 first = block[0];
    if (first != 0xff) {
      if (i < ACCOUNTS_MAX) {
        if (first >= i) return InstructionDidNotDeserialize;
        sol_memcpy_(ACCOUNT(i), ACCOUNT(first), sizeof(Account));
      }
      block += 8;
      continue;
    }
    Account account;
    account.is_signer = block[1];
    account.is_writable = block[2];
    account.executable = block[3];
    account.key = (Key *)(block + 8);
    account.owner = (Key *)(block + 40);
    account.lamports = (u64 *)(block + 72);
    account.length = *(u64 *)(block + 80);
    account.data = block + 88;
    block = (u8 *)(((u64)account.data + account.length + DATA_GROWTH_MAX + 7) & ~7ULL);
    account.rent_epoch = *(u64 *)block;
    block += 8;
    if (i < ACCOUNTS_MAX) sol_memcpy_(ACCOUNT(i), &account, sizeof(Account));
  }
  IN->length = *(u64 *)block;
  IN->data = block + 8;
  REQUIRE(same((Key *)(block + 8 + IN->length), &THIS_PROGRAM), DeclaredProgramIdMismatch);
  return 0;
}

/* The length that the runtime keeps before the data, and changes when another program changes it. */
static u64 length_of(const Account *account) { return ((const u64 *)account->data)[-1]; }

static int kept(void) { return (int)(IN->count < ACCOUNTS_MAX ? IN->count : ACCOUNTS_MAX); }

static int is(int index, const Key *key) { return same(ACCOUNT(index)->key, key); }

static int owned_by(int index, const Key *program) { return same(ACCOUNT(index)->owner, program); }

/* An optional account that is left out is given as the program itself. */
static int is_left_out(int index) { return is(index, &THIS_PROGRAM); }

static int is_unused(int index) { return owned_by(index, &SYSTEM_PROGRAM) && length_of(ACCOUNT(index)) == 0; }

/* What is gone has another error than what was never ours. */
static u64 check_ours(int index) {
  REQUIRE(!owned_by(index, &SYSTEM_PROGRAM) || *ACCOUNT(index)->lamports, AccountNotInitialized);
  REQUIRE(owned_by(index, &THIS_PROGRAM), AccountOwnedByWrongProgram);
  return 0;
}

/* `writable` and `signers` have a bit for each account. */
static u64 check_flags(int count, u32 signers, u32 writable) {
  REQUIRE(IN->count >= (u64)count, AccountNotEnoughKeys);
  for (int i = 0; i < count; i++) {
    REQUIRE(!(signers >> i & 1) || ACCOUNT(i)->is_signer, AccountNotSigner);
    REQUIRE(!(writable >> i & 1) || ACCOUNT(i)->is_writable, ConstraintMut);
  }
  return 0;
}

static u64 check_program(int index, const Key *program) {
  REQUIRE(is(index, program), InvalidProgramId);
  return 0;
}

static u64 check_event_accounts(int authority) {
  REQUIRE(is(authority, &EVENT_AUTHORITY), ConstraintSeeds);
  return check_program(authority + 1, &THIS_PROGRAM);
}

static i64 now(void) {
  Clock clock;
  sol_get_clock_sysvar(&clock);
  return clock.now;
}

/* ---- Arguments, as Borsh writes them. What follows the last one is ignored, as Anchor ignores it. ---- */

typedef struct { const u8 *at; u64 left; int broken; } Reader;

#define ARGUMENTS {IN->data + 8, IN->length - 8, 0}

SHARED u64 read_bytes(Reader *reader, u64 count) {
  if (reader->left < count) {
    reader->broken = 1;
    return 0;
  }
  u64 value = 0;
  for (u64 i = count; i > 0; i--) value = value << 8 | reader->at[i - 1];
  reader->at += count;
  reader->left -= count;
  return value;
}

/* The tag of an option, or a boolean. */
static int read_tag(Reader *reader) {
  u64 tag = read_bytes(reader, 1);
  if (tag > 1) reader->broken = 1;
  return tag == 1;
}

typedef struct { int given; u64 value; } Option;

static void read_option(Reader *reader, u64 bytes, Option *option) {
  option->given = read_tag(reader);
  option->value = option->given ? read_bytes(reader, bytes) : 0;
}

/* ---- Writing account data and events. ---- */

SHARED u8 *put(u8 *at, const void *bytes, u64 count) {
  sol_memcpy_(at, bytes, count);
  return at + count;
}

static u8 *put_key(u8 *at, const Key *key) { return put(at, key, sizeof(Key)); }

SHARED u8 *put_number(u8 *at, u64 value, u64 bytes) {
  for (u64 i = 0; i < bytes; i++) at[i] = (u8)(value >> 8 * i);
  return at + bytes;
}

static u8 *put64(u8 *at, u64 value) { return put_number(at, value, 8); }

/* ---- Calling other programs. A call that fails ends the transaction: none of these returns then. ---- */

__attribute__((always_inline)) static inline void call(const Key *program, const Meta *metas, u64 count, const u8 *data,
                                                       u64 length, const Signer *signer) {
  Instruction instruction = {program, metas, count, data, length};
  sol_invoke_signed_c(&instruction, IN->accounts, kept(), signer, signer ? 1 : 0);
}

#define META(index, is_writable, is_signer) {ACCOUNT(index)->key, is_writable, is_signer}

static void system_transfer(int payer, int to, u64 lamports) {
  Meta metas[2] = {META(payer, 1, 1), META(to, 1, 0)};
  u8 data[12];
  put64(put_number(data, 2, 4), lamports);
  call(&SYSTEM_PROGRAM, metas, 2, data, sizeof(data), 0);
}

/* Lamports that make an account of so many bytes free of rent. The threshold is a floating-point number of years, of
   which only a power of two can be read without a library: anything else is rounded up to the next one. */
static u64 rent_for(u64 bytes) {
  Rent rent;
  sol_get_rent_sysvar(&rent);
  u64 fraction = rent.threshold_bits & ((1ULL << 52) - 1);
  u64 years_log2 = (rent.threshold_bits >> 52) - 1023 + (fraction != 0);
  return (128 + bytes) * rent.lamports_per_byte << (years_log2 & 63);
}

typedef struct { int payer, index; u64 bytes; const Key *owner; } Creation;

/* Makes an account. Lamports that were sent there before do not hinder it, as they would hinder the system program's
   CreateAccount: the payer adds what is missing. */
static u64 create_account_of(const Creation *made, const Signer *signer) {
  int index = made->index;
  if (!is_unused(index)) {
    LOG("The account is already in use");
    return ACCOUNT_ALREADY_IN_USE;
  }
  u64 rent = rent_for(made->bytes), there = *ACCOUNT(index)->lamports;
  u8 data[52];
  if (there == 0) {
    Meta metas[2] = {META(made->payer, 1, 1), META(index, 1, 1)};
    put_key(put64(put64(put_number(data, 0, 4), rent), made->bytes), made->owner);
    call(&SYSTEM_PROGRAM, metas, 2, data, 52, signer);
    return 0;
  }
  if (there < rent) system_transfer(made->payer, index, rent - there);
  Meta metas[1] = {META(index, 1, 1)};
  put64(put_number(data, 8, 4), made->bytes);
  call(&SYSTEM_PROGRAM, metas, 1, data, 12, signer);
  put_key(put_number(data, 1, 4), made->owner);
  call(&SYSTEM_PROGRAM, metas, 1, data, 36, signer);
  return 0;
}

static u64 create_account(int payer, int index, u64 bytes, const Signer *signer) {
  return create_account_of(&(Creation){payer, index, bytes, &THIS_PROGRAM}, signer);
}

/* Gives all lamports of an account of ours to another, and the account back to the system program. No call may follow. */
static void destroy_account(int index, int heir) {
  Account *account = ACCOUNT(index);
  *ACCOUNT(heir)->lamports += *account->lamports;
  *account->lamports = 0;
  sol_memset_(account->data, 0, length_of(account));
  ((u64 *)account->data)[-1] = 0;
  put_key((u8 *)account->owner, &SYSTEM_PROGRAM);
}

/* From an account of ours. No call may follow. */
static void give_lamports(int from, int to, u64 lamports) {
  *ACCOUNT(from)->lamports -= lamports;
  *ACCOUNT(to)->lamports += lamports;
}

/* Calls ourselves with the event in the scratch memory, so that it stands in the transaction's inner instructions. */
static void emit(int authority, const u8 *end) {
  Seed seeds[2] = {TEXT_SEED("__event_authority"), {&EVENT_AUTHORITY_BUMP, 1}};
  Signer signer = {seeds, 2};
  Meta metas[1] = {META(authority, 0, 1)};
  call(&THIS_PROGRAM, metas, 1, IN->scratch, (u64)(end - IN->scratch), &signer);
}

#define EVENT_TAG 0x1d9acb512ea545e4ULL

static u8 *event(u64 discriminator) { return put64(put64(IN->scratch, EVENT_TAG), discriminator); }

/* The instruction that carries an event does nothing; but only we can sign for the authority's key. */
static u64 receive_event(void) {
  TRY(check_flags(1, 1, 0));
  REQUIRE(is(0, &EVENT_AUTHORITY), ConstraintSeeds);
  return 0;
}

/* ---- Tokens. Mints have 82 bytes and accounts 165; Token-2022 appends a type byte at 165 and extensions. ---- */

enum { MINT_BYTES = 82, TOKEN_ACCOUNT_BYTES = 165, MULTISIG_BYTES = 355, TYPE_MINT = 1, TYPE_ACCOUNT = 2 };

static int has_type(const Account *account, u8 type) {
  u64 length = length_of(account);
  return length > TOKEN_ACCOUNT_BYTES && length != MULTISIG_BYTES && account->data[TOKEN_ACCOUNT_BYTES] == type;
}

/* Extensions that neither take anything from a transfer, nor call a program in it, nor let another stop it or take the
   tokens: close authority, confidential transfer (its own balances), default state (our accounts would be frozen at
   birth, and the transfer would fail), interest and scaled amounts (display only), and the pointers and texts of
   metadata, groups and members. Those that we do not know are refused with the rest. */
#define BIT(n) (1ULL << (n))
static const u64 HARMLESS_EXTENSIONS = BIT(3) | BIT(4) | BIT(6) | BIT(10) | BIT(18) | BIT(19) | BIT(20) | BIT(21) |
                                       BIT(22) | BIT(23) | BIT(25);

enum { EXTENSION_TRANSFER_FEE = 1, EXTENSION_UNREADABLE = 0xffff };

/* The type of the mint's first extension that is not harmless; 0 if all are. */
static u64 harmful_extension(const Account *mint) {
  u64 at = TOKEN_ACCOUNT_BYTES + 1, end = length_of(mint);
  while (at + 4 <= end) {
    u64 type = mint->data[at] | (u64)mint->data[at + 1] << 8, length = mint->data[at + 2] | (u64)mint->data[at + 3] << 8;
    if (type == 0) return 0;
    if (type >= 64 || !(HARMLESS_EXTENSIONS >> type & 1)) return type;
    at += 4 + length;
  }
  return at <= end || length_of(mint) == MINT_BYTES ? 0 : EXTENSION_UNREADABLE;
}

/* Whether this is a mint in use of that token program. */
static u64 check_mint(int index, const Key *program) {
  const Account *mint = ACCOUNT(index);
  REQUIRE(same(mint->owner, program), AccountOwnedByWrongProgram);
  int plain = length_of(mint) == MINT_BYTES;
  REQUIRE(plain || (same(program, &TOKEN_2022_PROGRAM) && has_type(mint, TYPE_MINT)), AccountDidNotDeserialize);
  REQUIRE(mint->data[45] == 1, AccountNotInitialized);
  return 0;
}

static u8 decimals_of(int mint) { return ACCOUNT(mint)->data[44]; }

static int is_token_account(int index, const Key *program) {
  const Account *account = ACCOUNT(index);
  if (!same(account->owner, program)) return 0;
  int plain = length_of(account) == TOKEN_ACCOUNT_BYTES;
  return (plain || (same(program, &TOKEN_2022_PROGRAM) && has_type(account, TYPE_ACCOUNT))) && account->data[108] != 0;
}

static u64 check_token_account(int index, const Key *program, const Key *mint, const Key *owner) {
  REQUIRE(is_token_account(index, program), AccountNotInitialized);
  REQUIRE(same((const Key *)ACCOUNT(index)->data, mint), ConstraintTokenMint);
  REQUIRE(same((const Key *)(ACCOUNT(index)->data + 32), owner), ConstraintTokenOwner);
  return 0;
}

static u64 balance_of(int token_account) { return load64(ACCOUNT(token_account)->data + 64); }

static void associated_address(const Key *owner, const Key *program, const Key *mint, Key *found) {
  Seed seeds[3] = {{owner, 32}, {program, 32}, {mint, 32}};
  u8 bump;
  sol_try_find_program_address(seeds, 3, &ASSOCIATED_TOKEN_PROGRAM, found, &bump);
}

static u64 check_associated(int index, const Key *owner, const Key *program, const Key *mint) {
  Key found;
  associated_address(owner, program, mint, &found);
  REQUIRE(is(index, &found), ConstraintAssociated);
  return 0;
}

/* These name accounts by their place in the instruction. (A function can have five parameters only.) */
typedef struct { int payer, account, owner, mint, system, program; } Association;
typedef struct { int from, mint, to, authority, program; } Transfer;

/* CreateIdempotent. The associated token program checks the address, and mint and owner if the account is there. */
static void create_associated(const Association *made) {
  Meta metas[6] = {META(made->payer, 1, 1), META(made->account, 1, 0), META(made->owner, 0, 0),
                   META(made->mint, 0, 0),  META(made->system, 0, 0),  META(made->program, 0, 0)};
  static const u8 CREATE_IDEMPOTENT = 1;
  call(&ASSOCIATED_TOKEN_PROGRAM, metas, 6, &CREATE_IDEMPOTENT, 1, 0);
}

/* TransferChecked. */
static void transfer_tokens(const Transfer *made, u64 amount, const Signer *signer) {
  Meta metas[4] = {META(made->from, 1, 0), META(made->mint, 0, 0), META(made->to, 1, 0), META(made->authority, 0, 1)};
  u8 data[10];
  data[0] = 12;
  put64(data + 1, amount);
  data[9] = decimals_of(made->mint);
  call(ACCOUNT(made->program)->key, metas, 4, data, sizeof(data), signer);
}

/* CloseAccount: rent, and what is wrapped if it wraps SOL, go to `heir`. */
static void close_token_account(int account, int heir, int authority, int program, const Signer *signer) {
  Meta metas[3] = {META(account, 1, 0), META(heir, 1, 0), META(authority, 0, 1)};
  static const u8 CLOSE_ACCOUNT = 9;
  call(ACCOUNT(program)->key, metas, 3, &CLOSE_ACCOUNT, 1, signer);
}

/* SyncNative: lamports that lie in an account for wrapped SOL become tokens. */
static void sync_native(int account) {
  Meta metas[1] = {META(account, 1, 0)};
  static const u8 SYNC_NATIVE = 17;
  call(&TOKEN_PROGRAM, metas, 1, &SYNC_NATIVE, 1, 0);
}

/* ---- Rates. ---- */

enum { BPS_ONE = 10000 };
enum { ROUND_DOWN = 0, ROUND_UP = 1 };
#define U64_MAX 0xffffffffffffffffULL

/* `a * b / divisor` with all 128 bits of the product; what does not fit is U64_MAX. The divisor is not 0. */
SHARED u64 multiply_divide(u64 a, u64 b, u64 divisor, int round_up) {
  u64 a_low = a & 0xffffffff, a_high = a >> 32, b_low = b & 0xffffffff, b_high = b >> 32;
  u64 middle = a_high * b_low + (a_low * b_low >> 32), other = a_low * b_high + (middle & 0xffffffff);
  u64 high = a_high * b_high + (middle >> 32) + (other >> 32), low = other << 32 | (a_low * b_low & 0xffffffff);
  if (high >= divisor) return U64_MAX;
  u64 quotient = 0, rest = high;
  for (int bit = 63; bit >= 0; bit--) {
    u64 carry = rest >> 63;
    rest = rest << 1 | (low >> bit & 1);
    if (!carry && rest < divisor) continue;
    rest -= divisor;
    quotient |= 1ULL << bit;
  }
  return quotient + (round_up && rest && quotient != U64_MAX);
}

/* ---- Keepers. The account that names them is written with the chain's first block: a count, and their keys. ---- */

#define KEEPERS_ACCOUNT 0x6dd700073451fb11ULL

enum { KEEPERS_HEAD_BYTES = 16 };

/* Whether the account at `list` is the keepers' and names the signer. It stands after the published accounts, and an
   instruction that ends before it has no keeper. */
static int is_keeper(int signer, int list) {
  if (IN->count <= (u64)list || !is(list, &KEEPERS) || !owned_by(list, &THIS_PROGRAM)) return 0;
  const Account *account = ACCOUNT(list);
  u64 length = length_of(account);
  if (length < KEEPERS_HEAD_BYTES || load64(account->data) != KEEPERS_ACCOUNT) return 0;
  u64 count = load64(account->data + 8);
  for (u64 i = 0; i < count && KEEPERS_HEAD_BYTES + (i + 1) * sizeof(Key) <= length; i++)
    if (is(signer, (const Key *)(account->data + KEEPERS_HEAD_BYTES) + i)) return 1;
  return 0;
}

/* ---- The other instructions of the transaction, as the runtime shows them in an account. ---- */

/* A later instruction of this program: the name that it begins with, and two of its accounts by place and key. */
typedef struct { u64 name; int place[2]; const Key *key[2]; } Expected;

static int has_key(const u8 *at, const Key *key) {
  Key aligned;
  put_key((u8 *)&aligned, (const Key *)at);
  return same(&aligned, key);
}

static int is_expected(const u8 *at, const Expected *expected) {
  u64 accounts = load16(at);
  const u8 *keys = at + 3, *program = at + 2 + accounts * 33;
  if (!has_key(program, &THIS_PROGRAM) || load16(program + 32) < 8 || load64(program + 34) != expected->name) return 0;
  for (int i = 0; i < 2; i++)
    if (accounts <= (u64)expected->place[i] || !has_key(keys + expected->place[i] * 33, expected->key[i])) return 0;
  return 1;
}

/* How many instructions after the current one are as expected. Instructions that other programs call are not shown: a
   caller of this must stand at the top itself, else "the current one" is its caller. The address must be checked. */
static u64 count_expected(int sysvar, const Expected *expected) {
  const u8 *data = ACCOUNT(sysvar)->data;
  u64 count = load16(data), current = load16(data + length_of(ACCOUNT(sysvar)) - 2), found = 0;
  for (u64 i = current + 1; i < count; i++) found += (u64)is_expected(data + load16(data + 2 + 2 * i), expected);
  return found;
}
