import { startTelemetry } from './sdk.ts'

// For `node --import @waybill/telemetry/register`: runs before the service loads node:http.
startTelemetry()
