CREATE FUNCTION pgsim._filter_plain(type oid, operator text, value jsonb) RETURNS TABLE (form text, type_name text, bound jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Digits that certainly fit. A list is texts between separators: unlike the text of an array, PostgreSQL reads it once, and not once a row.
    SELECT CASE
               WHEN _filter_plain.type = 'text'::pg_catalog.regtype AND _filter_plain.operator = '$eq' AND k.kind = 'string' THEN '(%1$I OPERATOR(pg_catalog.=) ($1 ->> %2$L)::text)'
               WHEN _filter_plain.type = 'text'::pg_catalog.regtype AND _filter_plain.operator = '$in' AND k.texts THEN '(%1$I OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array($1 ->> %2$L, E''\x1f'')))'
               WHEN _filter_plain.type = 'text[]'::pg_catalog.regtype AND _filter_plain.operator IN ('$contains', '$overlap') AND k.texts
               THEN '(%1$I OPERATOR(pg_catalog.' || CASE _filter_plain.operator WHEN '$contains' THEN '@>' ELSE '&&' END || ') pg_catalog.string_to_array($1 ->> %2$L, E''\x1f''))'
               WHEN k.kind = 'number' AND _filter_plain.value::text ~ k.digits
               THEN '(%1$I OPERATOR(pg_catalog.' || CASE _filter_plain.operator WHEN '$eq' THEN '=' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' WHEN '$lte' THEN '<=' END
                    || ') ($1 ->> %2$L)::%3$s)'
               WHEN k.kind = 'array' AND _filter_plain.operator = '$between' AND jsonb_array_length(_filter_plain.value) = 2
                    AND (_filter_plain.value -> 0)::text ~ k.digits AND (_filter_plain.value -> 1)::text ~ k.digits
               THEN '(%1$I OPERATOR(pg_catalog.>=) ($1 #>> ARRAY[%2$L, ''0''])::%3$s AND %1$I OPERATOR(pg_catalog.<=) ($1 #>> ARRAY[%2$L, ''1''])::%3$s)'
           END,
           CASE _filter_plain.type WHEN 'int4'::pg_catalog.regtype THEN 'integer' WHEN 'int8'::pg_catalog.regtype THEN 'bigint' ELSE 'smallint' END,
           CASE WHEN k.texts THEN to_jsonb((SELECT coalesce(string_agg(e, E'\x1f'), '') FROM jsonb_array_elements_text(_filter_plain.value) AS e)) ELSE _filter_plain.value END
    FROM (SELECT jsonb_typeof(_filter_plain.value) AS kind,
                 jsonb_typeof(_filter_plain.value) = 'array' AND _filter_plain.operator IN ('$in', '$contains', '$overlap')
                     AND NOT jsonb_path_exists(_filter_plain.value, 'strict $[*] ? (@.type() != "string" || @ == "" || @ like_regex "\\x1f")') AS texts,
                 CASE _filter_plain.type WHEN 'int2'::pg_catalog.regtype THEN '^-?\d{1,4}$' WHEN 'int4'::pg_catalog.regtype THEN '^-?\d{1,9}$' WHEN 'int8'::pg_catalog.regtype THEN '^-?\d{1,18}$' END AS digits) AS k;
END;
COMMENT ON FUNCTION pgsim._filter_plain IS
    'One condition of the plainest kinds as a form of predicate (%1 the column, %2 the name of its value, %3 its type) and the value bound; form is NULL for every other, which _filter_column compiles or refuses.';
