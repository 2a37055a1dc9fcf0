-- Posts Purchases with ids that never repeat: the prefix comes from the system, so no run meets an earlier one's rows.
local f=io.open("/dev/urandom","rb"); local b=f:read(8); f:close()
local prefix=b:gsub(".",function(c) return string.format("%02x",c:byte()) end)
local n=0
local tid=0
function setup(thread) thread:set("tid",tid); tid=tid+1 end
function request()
  n=n+1
  local body='{"cnct_tracking_id":"4b1d5b0e-5a9a-4f6e-9d58-0f2a1c3b4d5e","event_name":"Purchase","sendout_id":"7c1d5b0e-5a9a-4f6e-9d58-0f2a1c3b4d5f","attribution":{"meta_ctwa":{"ctwa_clid":"ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a","ad_id":"120210000000000000"}},"payload":{"currency":"USD","value":99.97,"order_id":"'..prefix..'-'..tid..'-'..n..'","content_type":"product","content_ids":["data-pass-30d","phone-case-blk"],"num_items":2,"contents":[{"id":"data-pass-30d","quantity":1,"item_price":49.99},{"id":"phone-case-blk","quantity":1,"item_price":49.98}]}}'
  return wrk.format("POST","/external/v1/businesses/11111111-1111-4111-8111-111111111111/conversion_events",{["Content-Type"]="application/json",["X-API-KEY"]="ck_bench",["Prefer"]="respond-async"},body)
end
