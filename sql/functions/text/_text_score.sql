CREATE FUNCTION pgsim._text_score(x pgsim._text, prefix text, average text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- A factor between weights of whole numbers and of hundredths, to which what is read back from an impact is rounded.
    unit text := CASE WHEN (SELECT bool_and(w = trunc(w)) FROM unnest(x.weights) AS w) THEN '1' ELSE '0.01' END;
    norm text := format('(%s * (%s + %s * %slength / %%s))', x.k1, 1 - x.b, x.b, prefix);
    frequency text := format('(pg_catalog.round(i.impact * %s / greatest(%s - i.impact, 1e-9) / %s) * %s)', format(norm, prefix || 'average'), x.k1 + 1, unit, unit);
BEGIN
    RETURN CASE WHEN x.k1 = 0 THEN 'CASE WHEN i.impact > 0 THEN i.weight ELSE 0 END'
                ELSE format('CASE WHEN i.impact > 0 THEN i.weight * (%1$s * %2$s / (%1$s + %3$s)) ELSE 0 END', frequency, x.k1 + 1, format(norm, average)) END;
END
$$;
COMMENT ON FUNCTION pgsim._text_score IS
    'The expression of what a word adds to a row''s score, over i.impact and i.weight: the impact is stored for a mean length that has moved since, so it is reckoned anew from the frequency that it was made of.';
