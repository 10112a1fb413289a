export { type AnswerSink, type Edit, Exchange, type TransactionStatus } from './exchange.ts'
export { Pipeline, type ServerVoice } from './pipeline.ts'
