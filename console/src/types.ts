// What the venue answers. Amounts are strings of base units, prices strings of US dollars, times Unix milliseconds.

export interface Token { symbol: string; mint: string; decimals: number; price: string | null }

export interface Faults {
  dropTransactions: number; failSwaps: number; landDelayMs: number; loseAnswers: number; rpcDown: boolean;
  expireBlockhashes: boolean; crash: string | null; rateLimit: number; expireTokens: boolean; failMatches: number; strict: false | string[];
}

export interface Sandbox {
  now: number; clock?: { mode: 'running' | 'frozen' }; seed?: number | null; tokens: Token[];
  chain: { slot: number; blockHeight?: number }; faults?: Faults; missing?: string[];
}

export interface Playback {
  mint: string; symbol: string; speed: string; moves: number; rows?: number; walk?: { seed: number; bps: number; everyMs: number };
}

export interface MarketMaker { market: string; price: string; volume: string; rounds: number; accounts: string[] }

export interface Leg {
  role: 'trigger' | 'take_profit' | 'stop_loss'; triggerCondition: 'above' | 'below'; triggerPriceUsd: string;
  slippageBps: number | null; trailingBps?: number; watermarkUsd?: string | null; awayBps?: number | null;
}

export interface TimelineEntry { at: number; event: string; cause: string; seq?: number; reason?: string; txSignature?: string }

export interface Waiting {
  for: string; priceUsd?: string | null; mint?: string; legs?: Leg[]; until?: number | null; reason?: string | null;
  lacks?: string | null; round?: number; rounds?: number; side?: string; price?: string | null; last?: string | null;
  minPriceUsd?: string | null; maxPriceUsd?: string | null; inBand?: boolean | null; asks?: string;
  minOutAmount?: string | null; maxOutAmount?: string | null;
}

export interface Order {
  id: string | number; family: 'trigger' | 'dca' | 'book' | 'limit' | 'recurring'; state: string; rawState?: string;
  wallet?: string; account?: string; waitsFor: string | null; waiting: Waiting | null; timeline?: TimelineEntry[];
  orderType?: 'single' | 'oco' | 'otoco'; inputMint?: string; outputMint?: string; triggerMint?: string | null;
  amount?: string; remaining?: string; received?: string; legs?: Leg[]; armedLegs?: number[]; expiresAt?: number;
  createdAt?: number; updatedAt?: number; rounds?: number; roundsFilled?: number; intervalSeconds?: number;
  market?: string; side?: string; kind?: string; price?: string | null; stopPrice?: string | null; volume?: string;
  executed?: string; makingAmount?: string; takingAmount?: string; remainingMakingAmount?: string; inputAccount?: string;
  remainingTakingAmount?: string; amountPerCycle?: string; cycleSeconds?: number; nextCycleAt?: number; nextFillAt?: number;
  minOutAmount?: string | null; maxOutAmount?: string | null; minPriceUsd?: string | null; maxPriceUsd?: string | null;
}

export interface RequestSummary {
  number: number; at: number; method: string; path: string; status: number | null; microseconds: number;
  orderId: string | null; cut: boolean;
}

export interface RequestDetail extends RequestSummary {
  query: string; headers: Record<string, string>; body: unknown; bodyBytes: number; answer: unknown; answerBytes: number;
  curl: string; altered: Record<string, unknown> | null;
}

export interface OrderEvent {
  family: string; orderId: string | null; wallet: string | null; seq: number; n: number; event: string;
  told: { at: number; cause: string; reason?: string; signature?: string; amount?: string; outputAmount?: string; mint?: string };
}

export interface Book {
  market: string; last: string | null; asks: Level[]; bids: Level[];
  trades: { id: number; at: number; price: string; volume: string; taker: string }[];
}
export interface Level { price: string; volume: string; orders: number }
export interface WalletRow {
  wallet: string; vault: string; registeredAt: number; lamports: string;
  holds: { mint: string; amount: string }[]; inVault: { mint: string; amount: string }[];
}
