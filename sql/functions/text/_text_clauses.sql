CREATE FUNCTION pgsim._text_clauses(ids text[], docs float8[], weights float8[], bounds float8[], least_score float8) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := cardinality(ids);
    total float8 := (SELECT sum(u) FROM unnest(bounds) AS u);
    clauses text[] := '{}';
    clause text;
    reads float8[] := '{}';
    read float8;
    rest float8;
BEGIN
    -- The words that are left out of a clause cannot make the score together, so a row must have one of those in it. Rarest first; then each
    -- time without one of the rarest, which asks for another beside it. (Measured: four rows of five need not be read then.)
    FOR skipped IN 0 .. CASE WHEN n <= 24 THEN n - 1 ELSE 0 END LOOP
        rest := total;
        clause := '';
        read := 0;
        FOR i IN 1 .. n LOOP
            EXIT WHEN rest < least_score;
            IF i <> skipped AND weights[i] > 0 THEN
                clause := clause || ',' || ids[i];
                rest := rest - bounds[i];
                read := read + docs[i];
            END IF;
        END LOOP;
        IF rest < least_score AND clause <> ALL (clauses) THEN
            clauses := clauses || clause;
            reads := reads || read;
        END IF;
    END LOOP;
    -- The index goes through the rows of the first, and looks these up in the next.
    RETURN ARRAY(SELECT substr(u.clause, 2) FROM unnest(clauses, reads) AS u (clause, read) ORDER BY u.read, u.clause);
END
$$;
COMMENT ON FUNCTION pgsim._text_clauses IS 'Lists of ids, of each of which a row must have one to reach a score. None: every row that has a word of the query may reach it.';
