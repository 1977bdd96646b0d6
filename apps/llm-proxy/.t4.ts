import { createTokenizer } from './src/tokens/tokenizer.ts'
import { cutIntoPassages } from './src/passages.ts'
const k=createTokenizer()
const md='# A\n\nintro text here.\n\n## B\n\n```\n# no heading\n```\n\n## Empty\n\n## C ##\n\n'+'One sentence about lenses and glass. '.repeat(60)+'\n\n| a | b |\n|---|---|\n'+'| cell | value 12 |\n'.repeat(60)
for(const p of await cutIntoPassages({text:'x',markdown:md},{passageTokens:120,maxPassages:100},k)) console.log(p.position,p.tokens,JSON.stringify(p.text.slice(0,100)), p.text.length)
for (const [n,s] of [['a','a'.repeat(1e6)],['words','word soup '.repeat(1e5)],['# ','# '+' '.repeat(1e6)+'x'],['#h',('# h\n').repeat(2e5)],['漢','漢字'.repeat(3e5)],['nl','a\n\n'.repeat(3e5)]] as const){let t=performance.now(); const r=await cutIntoPassages({text:s,markdown:s},{passageTokens:256,maxPassages:2000},k).then(p=>p.length,e=>e.message); console.log(n,r,performance.now()-t)}
