-- Revenue per channel, in windows of ten minutes: a job over a file.
--
--   headwater run examples/revenue.sql --checkpoint-dir ./state
--
-- With 'connector' = 'kafka' for the two tables the same text runs over topics, for as long as they are written.

CREATE TABLE orders (
  order_id BIGINT,
  customer STRING,
  channel STRING,
  amount DECIMAL(10, 2),
  placed_at TIMESTAMP(3),
  WATERMARK FOR placed_at AS placed_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/orders.csv',
  'format' = 'csv',
  'csv.header' = 'true'
);

CREATE TABLE revenue (
  window_start TIMESTAMP(3),
  channel STRING,
  orders BIGINT,
  revenue DECIMAL(38, 2)
) WITH (
  'connector' = 'filesystem',
  'path' = 'revenue',
  'format' = 'json'
);

INSERT INTO revenue
SELECT window_start, channel, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(placed_at), INTERVAL '10' MINUTE))
GROUP BY window_start, window_end, channel;
