/**
 * Blocks of Unicode, as `\p{IsGreek}` in a pattern names them (XSD 1.0 part 2, appendix F.1.1): those of the first plane, and of the others
 * those that Unicode 3.1 had. At the end are names that XML Schema has and Unicode has no more.
 */

const BLOCKS = `
BasicLatin:0-7f Latin-1Supplement:80-ff LatinExtended-A:100-17f LatinExtended-B:180-24f IPAExtensions:250-2af
SpacingModifierLetters:2b0-2ff CombiningDiacriticalMarks:300-36f GreekandCoptic:370-3ff Cyrillic:400-4ff CyrillicSupplement:500-52f
Armenian:530-58f Hebrew:590-5ff Arabic:600-6ff Syriac:700-74f ArabicSupplement:750-77f Thaana:780-7bf NKo:7c0-7ff Samaritan:800-83f
Mandaic:840-85f SyriacSupplement:860-86f ArabicExtended-B:870-89f ArabicExtended-A:8a0-8ff Devanagari:900-97f Bengali:980-9ff
Gurmukhi:a00-a7f Gujarati:a80-aff Oriya:b00-b7f Tamil:b80-bff Telugu:c00-c7f Kannada:c80-cff Malayalam:d00-d7f Sinhala:d80-dff
Thai:e00-e7f Lao:e80-eff Tibetan:f00-fff Myanmar:1000-109f Georgian:10a0-10ff HangulJamo:1100-11ff Ethiopic:1200-137f
EthiopicSupplement:1380-139f Cherokee:13a0-13ff UnifiedCanadianAboriginalSyllabics:1400-167f Ogham:1680-169f Runic:16a0-16ff
Tagalog:1700-171f Hanunoo:1720-173f Buhid:1740-175f Tagbanwa:1760-177f Khmer:1780-17ff Mongolian:1800-18af
UnifiedCanadianAboriginalSyllabicsExtended:18b0-18ff Limbu:1900-194f TaiLe:1950-197f NewTaiLue:1980-19df KhmerSymbols:19e0-19ff
Buginese:1a00-1a1f TaiTham:1a20-1aaf CombiningDiacriticalMarksExtended:1ab0-1aff Balinese:1b00-1b7f Sundanese:1b80-1bbf
Batak:1bc0-1bff Lepcha:1c00-1c4f OlChiki:1c50-1c7f CyrillicExtended-C:1c80-1c8f GeorgianExtended:1c90-1cbf
SundaneseSupplement:1cc0-1ccf VedicExtensions:1cd0-1cff PhoneticExtensions:1d00-1d7f PhoneticExtensionsSupplement:1d80-1dbf
CombiningDiacriticalMarksSupplement:1dc0-1dff LatinExtendedAdditional:1e00-1eff GreekExtended:1f00-1fff
GeneralPunctuation:2000-206f SuperscriptsandSubscripts:2070-209f CurrencySymbols:20a0-20cf
CombiningDiacriticalMarksforSymbols:20d0-20ff LetterlikeSymbols:2100-214f NumberForms:2150-218f Arrows:2190-21ff
MathematicalOperators:2200-22ff MiscellaneousTechnical:2300-23ff ControlPictures:2400-243f OpticalCharacterRecognition:2440-245f
EnclosedAlphanumerics:2460-24ff BoxDrawing:2500-257f BlockElements:2580-259f GeometricShapes:25a0-25ff
MiscellaneousSymbols:2600-26ff Dingbats:2700-27bf MiscellaneousMathematicalSymbols-A:27c0-27ef SupplementalArrows-A:27f0-27ff
BraillePatterns:2800-28ff SupplementalArrows-B:2900-297f MiscellaneousMathematicalSymbols-B:2980-29ff
SupplementalMathematicalOperators:2a00-2aff MiscellaneousSymbolsandArrows:2b00-2bff Glagolitic:2c00-2c5f LatinExtended-C:2c60-2c7f
Coptic:2c80-2cff GeorgianSupplement:2d00-2d2f Tifinagh:2d30-2d7f EthiopicExtended:2d80-2ddf CyrillicExtended-A:2de0-2dff
SupplementalPunctuation:2e00-2e7f CJKRadicalsSupplement:2e80-2eff KangxiRadicals:2f00-2fdf
IdeographicDescriptionCharacters:2ff0-2fff CJKSymbolsandPunctuation:3000-303f Hiragana:3040-309f Katakana:30a0-30ff
Bopomofo:3100-312f HangulCompatibilityJamo:3130-318f Kanbun:3190-319f BopomofoExtended:31a0-31bf CJKStrokes:31c0-31ef
KatakanaPhoneticExtensions:31f0-31ff EnclosedCJKLettersandMonths:3200-32ff CJKCompatibility:3300-33ff
CJKUnifiedIdeographsExtensionA:3400-4dbf YijingHexagramSymbols:4dc0-4dff CJKUnifiedIdeographs:4e00-9fff YiSyllables:a000-a48f
YiRadicals:a490-a4cf Lisu:a4d0-a4ff Vai:a500-a63f CyrillicExtended-B:a640-a69f Bamum:a6a0-a6ff ModifierToneLetters:a700-a71f
LatinExtended-D:a720-a7ff SylotiNagri:a800-a82f CommonIndicNumberForms:a830-a83f Phags-pa:a840-a87f Saurashtra:a880-a8df
DevanagariExtended:a8e0-a8ff KayahLi:a900-a92f Rejang:a930-a95f HangulJamoExtended-A:a960-a97f Javanese:a980-a9df
MyanmarExtended-B:a9e0-a9ff Cham:aa00-aa5f MyanmarExtended-A:aa60-aa7f TaiViet:aa80-aadf MeeteiMayekExtensions:aae0-aaff
EthiopicExtended-A:ab00-ab2f LatinExtended-E:ab30-ab6f CherokeeSupplement:ab70-abbf MeeteiMayek:abc0-abff HangulSyllables:ac00-d7af
HangulJamoExtended-B:d7b0-d7ff PrivateUseArea:e000-f8ff CJKCompatibilityIdeographs:f900-faff AlphabeticPresentationForms:fb00-fb4f
ArabicPresentationForms-A:fb50-fdff VariationSelectors:fe00-fe0f VerticalForms:fe10-fe1f CombiningHalfMarks:fe20-fe2f
CJKCompatibilityForms:fe30-fe4f SmallFormVariants:fe50-fe6f ArabicPresentationForms-B:fe70-feff
HalfwidthandFullwidthForms:ff00-ffef Specials:fff0-ffff OldItalic:10300-1032f Gothic:10330-1034f Deseret:10400-1044f
ByzantineMusicalSymbols:1d000-1d0ff MusicalSymbols:1d100-1d1ff MathematicalAlphanumericSymbols:1d400-1d7ff
CJKUnifiedIdeographsExtensionB:20000-2a6df CJKCompatibilityIdeographsSupplement:2f800-2fa1f Tags:e0000-e007f
Greek:370-3ff CombiningMarksforSymbols:20d0-20ff PrivateUse:e000-f8ff
`;

const blocks: ReadonlyMap<string, readonly [first: number, last: number]> = new Map(
  BLOCKS.trim()
    .split(/\s/)
    .map((text) => {
      const [name = '', first = '', last = ''] = text.split(/:|-(?=[0-9a-f]+$)/);
      return [name, [Number.parseInt(first, 16), Number.parseInt(last, 16)]];
    }),
);

/** First and last code point of a block; undefined when there is none of the name. */
export function blockNamed(name: string): readonly [first: number, last: number] | undefined {
  return blocks.get(name);
}
