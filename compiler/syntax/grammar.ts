/** @file The grammar of declarations and statements, as chevrotain rules. It is a little wider than the language: slips that
 *  are easy to understand (`mask = causal`, a forgotten comma, an expression as a statement) are parsed here and reported
 *  when the tree is built, so that one mistake gives one message and the rest of the file is still read. */

import { EOF } from "chevrotain";
import type { TokenType } from "chevrotain";
import { ExpressionGrammar } from "./grammar-expr.ts";
import type { Rule } from "./grammar-expr.ts";
import * as t from "./tokens.ts";

export class Grammar extends ExpressionGrammar {
  constructor() {
    super();
    this.performSelfAnalysis();
    this.sharpenRecovery();
  }

  /** Recovery skips to a token that may follow one of the rules under way. `stray` and junk statements may begin with
   *  anything, so without this nothing would ever be skipped. The table is chevrotain's own and has no public name. */
  private sharpenRecovery(): void {
    const follows = Reflect.get(this, "resyncFollows") as Record<string, TokenType[]>;
    for (const [key, types] of Object.entries(follows)) follows[key] = types.filter((type) => type !== t.Loose && type !== t.Junk);
  }

  /** A token that exists is worth more to the reader than one that recovery made up: only punctuation is inserted. */
  override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    return type !== t.NameToken && type !== t.StringToken && type !== EOF;
  }

  readonly file: Rule = this.RULE("file", () => {
    this.MANY(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.importDecl) },
        { ALT: () => this.SUBRULE(this.dimDecl) },
        { ALT: () => this.SUBRULE(this.layerDecl) },
        { ALT: () => this.SUBRULE(this.fnDecl) },
        { ALT: () => this.SUBRULE(this.modelDecl) },
        { ALT: () => this.SUBRULE(this.lossDecl) },
        { ALT: () => this.SUBRULE(this.backwardDecl) },
        { ALT: () => this.SUBRULE(this.optimizerDecl) },
        { ALT: () => this.SUBRULE(this.stray) },
      ]),
    );
  });

  /** What no declaration begins with, up to the next declaration. */
  readonly stray: Rule = this.RULE("stray", () => {
    this.AT_LEAST_ONE(() => this.CONSUME(t.Loose));
  });

  readonly importDecl: Rule = this.RULE("importDecl", () => {
    this.CONSUME(t.ImportWord);
    this.OPTION(() => {
      this.CONSUME(t.LeftBrace);
      this.SUBRULE(this.names);
      this.CONSUME(t.RightBrace);
      this.CONSUME(t.FromWord);
    });
    this.CONSUME(t.StringToken);
  });

  readonly dimDecl: Rule = this.RULE("dimDecl", () => {
    this.CONSUME(t.DimWord);
    this.CONSUME(t.NameToken);
    this.OPTION({
      GATE: () => this.sameLine() || VALUE_SIGNS.has(this.LA(1).tokenType),
      DEF: () => {
        this.OPTION2(() => this.OR([{ ALT: () => this.CONSUME(t.Equals) }, { ALT: () => this.CONSUME(t.Colon) }]));
        this.SUBRULE(this.expression);
      },
    });
  });

  readonly layerDecl: Rule = this.RULE("layerDecl", () => {
    this.CONSUME(t.LayerWord);
    this.CONSUME(t.NameToken);
    this.SUBRULE(this.signature);
    this.SUBRULE(this.body);
  });

  readonly fnDecl: Rule = this.RULE("fnDecl", () => {
    this.CONSUME(t.FnWord);
    this.CONSUME(t.NameToken);
    this.SUBRULE(this.signature);
    this.SUBRULE(this.body);
  });

  readonly modelDecl: Rule = this.RULE("modelDecl", () => {
    this.CONSUME(t.ModelWord);
    this.CONSUME(t.NameToken);
    this.SUBRULE(this.signature);
    this.SUBRULE(this.body);
  });

  readonly lossDecl: Rule = this.RULE("lossDecl", () => {
    this.CONSUME(t.LossWord);
    this.SUBRULE(this.signature);
    this.SUBRULE(this.body);
  });

  /** `[N, M](x: [..., N]) -> [..., M]` */
  readonly signature: Rule = this.RULE("signature", () => {
    this.OPTION(() => {
      this.CONSUME(t.LeftBracket);
      this.SUBRULE(this.names);
      this.CONSUME(t.RightBracket);
    });
    this.CONSUME(t.LeftParen);
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.SUBRULE(this.formal);
        this.OPTION2(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightParen);
    this.OPTION3(() => {
      this.CONSUME(t.Arrow);
      this.SUBRULE(this.type);
    });
  });

  readonly names: Rule = this.RULE("names", () => {
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.CONSUME(t.NameToken);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
  });

  readonly formal: Rule = this.RULE("formal", () => {
    this.CONSUME(t.NameToken);
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.OPTION2(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE(this.expression);
    });
  });

  readonly type: Rule = this.RULE("type", () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.NameToken);
          this.OPTION(() => this.SUBRULE(this.axes));
        },
      },
      { ALT: () => this.SUBRULE2(this.axes) },
    ]);
  });

  readonly axes: Rule = this.RULE("axes", () => {
    this.CONSUME(t.LeftBracket);
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.OR([{ ALT: () => this.CONSUME(t.Ellipsis) }, { ALT: () => this.SUBRULE(this.expression) }]);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightBracket);
  });

  readonly backwardDecl: Rule = this.RULE("backwardDecl", () => {
    this.CONSUME(t.BackwardWord);
    this.CONSUME(t.LeftBrace);
    this.MANY(() => this.SUBRULE(this.backwardRule));
    this.CONSUME(t.RightBrace);
  });

  readonly backwardRule: Rule = this.RULE("backwardRule", () => {
    this.SUBRULE(this.pattern);
    this.OR([{ ALT: () => this.CONSUME(t.Colon) }, { ALT: () => this.CONSUME(t.Equals) }]);
    this.CONSUME(t.NameToken);
    this.OPTION(() => this.SUBRULE(this.args));
  });

  readonly pattern: Rule = this.RULE("pattern", () => {
    this.SUBRULE(this.segment);
    this.MANY(() => {
      this.CONSUME(t.Dot);
      this.SUBRULE2(this.segment);
    });
  });

  readonly segment: Rule = this.RULE("segment", () => {
    this.OR([
      { ALT: () => this.CONSUME(t.NameToken) },
      { ALT: () => this.CONSUME(t.NumberToken) },
      { ALT: () => this.CONSUME(t.Star) },
      { ALT: () => this.CONSUME(t.Power) },
    ]);
    this.OPTION(() => this.CONSUME(t.SiteNumber));
  });

  readonly optimizerDecl: Rule = this.RULE("optimizerDecl", () => {
    this.CONSUME(t.OptimizerWord);
    this.CONSUME(t.NameToken);
    this.OPTION(() => this.SUBRULE(this.args));
  });

  readonly body: Rule = this.RULE("body", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.block) },
      {
        ALT: () => {
          this.OR2([{ ALT: () => this.CONSUME(t.Equals) }, { ALT: () => this.CONSUME(t.Colon) }]);
          this.SUBRULE(this.expression);
        },
      },
    ]);
  });

  readonly block: Rule = this.RULE("block", () => {
    this.CONSUME(t.LeftBrace);
    this.MANY(() => this.SUBRULE(this.statement));
    this.CONSUME(t.RightBrace);
  });

  readonly statement: Rule = this.RULE("statement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.paramStatement) },
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.repeatStatement) },
      { ALT: () => this.SUBRULE(this.returnStatement) },
      { ALT: () => this.SUBRULE(this.assignment) },
      { ALT: () => this.SUBRULE(this.expression) },
      { ALT: () => this.SUBRULE(this.block) },
      { ALT: () => this.CONSUME(t.Junk) },
    ]);
  });

  readonly paramStatement: Rule = this.RULE("paramStatement", () => {
    this.CONSUME(t.ParamWord);
    this.SUBRULE(this.paramGroup);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.paramGroup);
    });
    this.OPTION(() => {
      this.OR([{ ALT: () => this.CONSUME(t.Tilde) }, { ALT: () => this.CONSUME(t.Equals) }]);
      this.SUBRULE(this.expression);
    });
  });

  readonly paramGroup: Rule = this.RULE("paramGroup", () => {
    this.CONSUME(t.NameToken);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.CONSUME2(t.NameToken);
    });
    this.OR([{ ALT: () => this.CONSUME(t.Colon) }, { ALT: () => this.CONSUME(t.Equals) }]);
    this.SUBRULE(this.type);
  });

  readonly letStatement: Rule = this.RULE("letStatement", () => {
    this.CONSUME(t.LetWord);
    this.CONSUME(t.NameToken);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.CONSUME2(t.NameToken);
    });
    this.OR([{ ALT: () => this.CONSUME(t.Equals) }, { ALT: () => this.CONSUME(t.Colon) }]);
    this.SUBRULE(this.expression);
  });

  readonly assignment: Rule = this.RULE("assignment", () => {
    this.CONSUME(t.NameToken);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  readonly repeatStatement: Rule = this.RULE("repeatStatement", () => {
    this.CONSUME(t.RepeatWord);
    this.SUBRULE(this.expression);
    this.SUBRULE(this.block);
  });

  readonly returnStatement: Rule = this.RULE("returnStatement", () => {
    this.CONSUME(t.ReturnWord);
    this.SUBRULE(this.expression);
  });
}

const VALUE_SIGNS: ReadonlySet<TokenType> = new Set([t.Equals, t.Colon]);
