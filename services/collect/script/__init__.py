"""The script that web pages load. `make script` builds it from `clickpulse.ts`; `clickpulse.d.ts` has its types."""
