import { serve } from '@waybill/service-kit'
import { createApp } from './app.ts'
import { configSchema, withPortAlias } from './config.ts'

await serve(configSchema, createApp, withPortAlias(process.env))
