CREATE FUNCTION pgsim._prior(c pgsim._collection, l pgsim._search_leg, keys text[]) RETURNS pgsim.leg
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_name text := l.spec ->> 'column';
    category text;
    type oid;
    number text;
    origin float8 := 0;
    scale float8;
    score text;
    made pgsim.leg;
BEGIN
    PERFORM pgsim._check_columns(c.relation, format('leg %L', l.name), ARRAY[column_name]);
    SELECT t.typcategory, t.oid INTO category, type
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = coalesce(nullif((SELECT b.typbasetype FROM pg_type AS b WHERE b.oid = a.atttypid), 0), a.atttypid)
    WHERE a.attrelid = c.relation AND a.attname = column_name;
    number := CASE
        WHEN type IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN format('extract(epoch FROM b.%I::timestamptz)::float8', column_name)
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype) THEN format('b.%I::float8', column_name)
        WHEN type = 'numeric'::regtype THEN format('(CASE WHEN b.%1$I BETWEEN -1e300 AND 1e300 THEN b.%1$I END)::float8', column_name)
        WHEN type = 'bool'::regtype THEN format('b.%I::int::float8', column_name) END;
    IF number IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L reads column %I, which is neither a number, a time nor a boolean', l.name, column_name), HINT = 'Name a column that ranks rows by itself.';
    END IF;
    IF (l.spec ? 'half_life')::int + (l.spec ? 'pivot')::int + (l.spec ? 'order')::int > 1 OR l.spec ? 'origin' AND NOT l.spec ? 'half_life' OR (l.spec ? 'half_life' OR l.spec ? 'pivot') AND (l.spec ? 'minimum' OR l.spec ? 'maximum') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L mixes what does not go together: %s', l.name, left((l.spec - 'column')::text, 200)),
            HINT = 'half_life (with origin) halves the score with each such distance; pivot is the value that scores one half; order, minimum and maximum go with the bare value.';
    END IF;
    BEGIN
        IF l.spec ? 'half_life' THEN
            IF category = 'D' THEN
                origin := extract(epoch FROM coalesce((l.spec ->> 'origin')::timestamptz, now()));
                scale := extract(epoch FROM (l.spec ->> 'half_life')::interval);
            ELSE
                origin := coalesce((l.spec ->> 'origin')::float8, 0);
                scale := (l.spec ->> 'half_life')::float8;
            END IF;
        ELSIF l.spec ? 'pivot' THEN
            scale := (l.spec ->> 'pivot')::float8;
        END IF;
        made.minimum := (l.spec ->> 'minimum')::float8;
        made.maximum := (l.spec ->> 'maximum')::float8;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L cannot be read: %s', l.name, SQLERRM), HINT = 'The half_life of a time is an interval ("30 days"), its origin a time; those of a number are numbers.';
    END;
    IF (l.spec ? 'half_life' OR l.spec ? 'pivot') AND (scale IS NULL OR NOT scale BETWEEN 1e-100 AND 1e100) OR origin IS NULL OR NOT origin BETWEEN -1e100 AND 1e100 OR l.spec ? 'pivot' AND category = 'D' OR category = 'D' AND l.spec ? 'half_life' AND jsonb_typeof(l.spec -> 'half_life') <> 'string'
       OR l.spec ? 'order' AND l.spec -> 'order' NOT IN ('"asc"', '"desc"')
       OR NOT coalesce(made.minimum, 0) BETWEEN -1e100 AND 1e100 OR made.maximum IS NOT NULL AND (made.minimum IS NULL OR NOT made.maximum BETWEEN -1e100 AND 1e100 OR made.maximum <= made.minimum) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L is %s; half_life and pivot are above 0 (a time has no pivot), order is asc or desc, a maximum is above its minimum, and both lie within 1e100', l.name, left(l.spec::text, 200)),
            HINT = 'For instance {"column": "published", "half_life": "30 days"} or {"column": "downloads", "pivot": 1000}.';
    END IF;
    score := CASE WHEN l.spec ? 'half_life' THEN 'exp(-least(abs(v.n - $2) / $3 * ln(2::float8), 700))'
                  WHEN l.spec ? 'pivot' THEN 'greatest(v.n, 0) / (greatest(v.n, 0) + $3)'
                  WHEN l.spec ->> 'order' = 'asc' THEN '-v.n' ELSE 'v.n' END;
    IF made.maximum IS NOT NULL THEN
        score := format('least(greatest(%s, $4), $5)', score);
    END IF;
    IF l.spec ? 'half_life' OR l.spec ? 'pivot' THEN
        made.minimum := 0;
        made.maximum := 1;
    END IF;
    made.name := l.name;
    EXECUTE format(
        'SELECT array_agg(k ORDER BY s DESC, o), array_agg(s ORDER BY s DESC, o) '
        'FROM (SELECT i.given AS k, i.ordinal AS o, %s AS s FROM (SELECT %s, k.given, k.ordinal FROM unnest($1) WITH ORDINALITY AS k (given, ordinal)) AS i '
        'JOIN %s AS b ON %s CROSS JOIN LATERAL (SELECT %s AS n) AS v WHERE v.n BETWEEN -1e300 AND 1e300) AS p',
        score, pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true), number)
    INTO made.keys, made.scores USING keys, origin, scale, made.minimum, made.maximum;
    RETURN made;
END
$$;
COMMENT ON FUNCTION pgsim._prior IS
    'A leg that ranks given rows by a column: by its value, by how far it is from an origin, or by a saturation. Rows without a value, or with one that is not finite, are not in it. It reads the table as the caller may.';
