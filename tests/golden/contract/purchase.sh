curl -i -X POST "https://api.connectly.ai/external/v1/businesses/<BUSINESS_ID>/conversion_events" \
  -H "Content-Type: application/json" \
  -H "X-API-KEY: <YOUR_API_KEY>" \
  -d '{
    "cnct_tracking_id": "<value from URL>",
    "event_name":       "Purchase",
    "sendout_id":       "<value from URL>",
    "attribution": {
      "meta_ctwa": {
        "ctwa_clid": "<value from URL>",
        "ad_id":     "<value from URL>"
      }
    },
    "payload": {
      "currency":  "USD",
      "value":     99.97,
      "order_id":  "ORD-7821",
      "content_type": "product",
      "content_ids":  ["data-pass-30d", "phone-case-blk"],
      "num_items":    2,
      "contents":  [
        { "id": "data-pass-30d",  "quantity": 1, "item_price": 49.99 },
        { "id": "phone-case-blk", "quantity": 1, "item_price": 49.98 }
      ],
      "event_time": 1746480000
    }
  }'
