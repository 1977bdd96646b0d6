import { serve } from '@waybill/service-kit'
import { createApp } from './app.ts'
import { configSchema } from './config.ts'

await serve(configSchema, createApp)
