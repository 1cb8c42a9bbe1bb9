CREATE FUNCTION pgsim._analyze_stale() RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    analyzed text[] := '{}';
    stale regclass;
BEGIN
    FOR stale IN
        SELECT r.oid FROM pg_class AS r LEFT JOIN pg_stat_all_tables AS s ON s.relid = r.oid
        WHERE r.relnamespace IN ('pgsim'::regnamespace, 'pgsim_data'::regnamespace) AND r.relkind = 'r' AND pg_has_role(current_user, r.relowner, 'USAGE')
          AND (r.reltuples < 0 AND pg_relation_size(r.oid) > 0 OR s.n_mod_since_analyze > 50 + 0.1 * greatest(r.reltuples, 0))
        ORDER BY r.oid::regclass::text
    LOOP
        -- What somebody is building or cleaning is left for the next time.
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', stale);
        analyzed := analyzed || stale::text;
    END LOOP;
    RETURN analyzed;
END
$$;
COMMENT ON FUNCTION pgsim._analyze_stale IS 'Has PostgreSQL''s statistics of pgsim''s tables taken anew where a tenth has changed since, and returns which.';
