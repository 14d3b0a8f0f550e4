-- What a line comes from: its order or credit note, or what went back. The read model is rebuilt at
-- the next start, which fills it.
alter table readmodel.sale_lines add column source_id uuid;
