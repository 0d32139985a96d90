-- How many batches a partition has leased for each destination: what the other partitions
-- count towards a pace.
-- Answer  JSON {destination: batches}
return cjson.encode(leased())
