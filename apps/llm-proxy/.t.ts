import { createTokenizer } from './src/local/tokenizer.ts'
import { Tiktoken } from 'js-tiktoken/lite'
import o from 'js-tiktoken/ranks/o200k_base'
const m0=process.memoryUsage().rss
let t=performance.now(); const k=createTokenizer(); await k.count('hello','o200k_base'); console.log('load',performance.now()-t, (process.memoryUsage().rss-m0)/1e6)
const text='The quick brown fox jumps over the lazy dog. '.repeat(20000); t=performance.now(); console.log(await k.count(text,'o200k_base'), text.length, performance.now()-t)
for (const [s,n] of [['a',1e6],['漢字',1e6],[' ',1e6],['!',1e6],['\n',1e6],['A',1e6],['é',1e6],['🙂',1e6],['a1',1e6],["'s",1e6],[' \n',1e6],['\u0301',1e6]] as const){const x=s.repeat(n/s.length); t=performance.now(); let worst=0,last=performance.now(); const h=setInterval(()=>{const n=performance.now();worst=Math.max(worst,n-last);last=n},1); const c=await k.count(x,'o200k_base'); clearInterval(h); worst=Math.max(worst,performance.now()-last); console.log(JSON.stringify(s),c,Math.round(performance.now()-t),'worst block',Math.round(worst))}
const rnd=[...Array(1e6)].map(()=>'abcdefghijklmnopqrstuvwxyz'[Math.random()*26|0]).join('');t=performance.now(); await k.count(rnd,'o200k_base');console.log('rnd1e6',performance.now()-t)
const ref=new Tiktoken(o)
let bad=0
const al=['a','b','the ','ing','漢','字','é','\u0301','🙂','1','23',' ','  ','\n','\r\n','\t','!','...',"'s",'ß','A','Z','<|endoftext|>','\ud800','ﷺ']
for(let i=0;i<3000;i++){let s='';const n=Math.random()*60|0;for(let j=0;j<n;j++)s+=al[Math.random()*al.length|0]; const a=(await k.encode(s,'o200k_base')).join(),b=ref.encode(s,[],[]).join(); if(a!==b){bad++; if(bad<5)console.log(JSON.stringify(s),a,b)}}
console.log('bad',bad)
console.log(await k.prefix('日本語の🙂テスト',3,'o200k_base'), await k.prefix('Hello world again',2,'o200k_base'))
